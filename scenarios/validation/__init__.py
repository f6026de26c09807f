"""The kernel beside SUMO's microsimulation: same network, same routes, marks to be met."""
