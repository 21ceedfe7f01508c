"""Speed of newsreel as ratios to baselines measured in turns."""
