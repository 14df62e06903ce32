"""Figures: functions that draw, one file per kind of figure."""
