"""Parts drawn by formula, with and without a defect, as a colour camera and a depth sensor see them."""
