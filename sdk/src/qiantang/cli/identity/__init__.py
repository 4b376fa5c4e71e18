"""Identity from the command line: the estate, its people and their rights, and what programs prove themselves with."""
