"""What each check finds in exchanges built by hand."""
