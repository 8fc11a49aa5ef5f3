"""WSO2 APK: its gateway's certificates, its configuration files, what differs in which setup."""

from harness.products.apk.product import APK

__all__ = ["APK"]
