"""The loop, the recipes, and what each of them learns."""
