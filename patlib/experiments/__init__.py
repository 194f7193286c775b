"""What stands on many runs rather than one: the statistics that compare them.
A run and its record are made elsewhere; the modules here read arrays of scores and confusion matrices."""
