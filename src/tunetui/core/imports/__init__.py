"""Files of other tuners read into kernels and grids."""
