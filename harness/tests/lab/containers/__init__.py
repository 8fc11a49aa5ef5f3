"""The container lab: what it gives to whom, what it builds, what it leaves behind.  Some of it needs Docker."""
