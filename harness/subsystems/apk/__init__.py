"""WSO2 APK's gateway as a reference subsystem.  Sources: APK's documentation, and its public code at release 1.2.0."""
