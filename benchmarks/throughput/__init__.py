"""How fast newsreel is, as ratios to what does less, or the same in another way."""
