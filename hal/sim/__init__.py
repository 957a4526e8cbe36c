"""The simulator: this desktop, no hardware needed. Shipped, public, drivable and assertable."""
