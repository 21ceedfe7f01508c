"""Newsreel beside other learners: on the same streams, by the same measures, on one machine."""
