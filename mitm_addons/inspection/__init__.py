"""What the inspector is made of: what it is told, how it reads credentials, what it says of an exchange and keeps."""
