"""A virtual sensor: how hard a fan shakes along all three axes, from one of them alone."""
