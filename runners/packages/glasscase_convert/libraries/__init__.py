"""One module for each library: `load(source)` gives a model that can be run and converted."""
