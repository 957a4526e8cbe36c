"""CIFAR-10: how the picture classifier of ``models/cifar10`` was trained, exported and scored."""
