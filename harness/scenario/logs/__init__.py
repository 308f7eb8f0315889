"""Request logs as people have them: which layout it is, what its columns mean, and one typed log out of any."""
