"""One look for everything that is shown: colours of classes and persons, pictures of results, the style of pages."""
