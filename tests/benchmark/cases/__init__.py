"""A module for each group of cases."""
