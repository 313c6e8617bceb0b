"""Pure functions on a coded, sorted log: case kernels concatenate over partitions, tally kernels add."""
