"""Pictures by a MobileNet: the lab that teaches one classes of the visitor's own."""
