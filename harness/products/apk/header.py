"""The header in which a gateway of WSO2 APK reads the client's certificate."""

from __future__ import annotations

HEADER = "X-WSO2-CLIENT-CERTIFICATE"
"""Its name unless ``[enforcer.security.mutualSSL] CertificateHeader`` says another."""
