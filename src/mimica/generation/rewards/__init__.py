"""What clips are rewarded for, measured, calibrated on real clips, and made into advantages."""
