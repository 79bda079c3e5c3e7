"""What to do about those who are behind: by stage, or for a whole portfolio in one day under law and capacity."""
