"""Keys and certificates: how they are issued, and the PKI of a whole deployment."""
