"""Accuracy of newsreel's learners and of peers, over the same streams."""
