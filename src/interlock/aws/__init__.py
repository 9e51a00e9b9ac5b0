"""Interlock on AWS: functions around the same core, a state machine that is made from it, and how they find each other."""
