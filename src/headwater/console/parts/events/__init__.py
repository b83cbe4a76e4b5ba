"""What pages about events are made of: the live feed, refused events, the trail of one."""
