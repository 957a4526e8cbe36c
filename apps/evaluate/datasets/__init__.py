"""Labelled data on disk: which items there are, in every layout that ``eiq-demo evaluate`` knows."""
