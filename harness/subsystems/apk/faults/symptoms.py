"""What else fails under the faults that touch a whole mechanism: the rows that cannot hold without it, by their ids.

A row that such a fault is *about* names it in the catalogue; these fail besides, and no others do.
"""

from __future__ import annotations

from collections.abc import Mapping

SYMPTOMS: Mapping[str, tuple[str, ...]] = {
    name: tuple(rows.split())
    for name, rows in {
        "gateway-answers-forbidden": (
            "APK-2 APK-3 APK-3-NONE APK-7 APK-1-DISABLED APK-4-OTHER-API APK-4-EXACT APK-4-CA APK-4-PATH APK-5 "
            "APK-5-NAME APK-5-FORMS APK-5-BLANK APK-5-ENCODED APK-6 APK-6-SEVERAL-CODE APK-6-SEVERAL-DOCUMENT "
            "APK-6-PLACE-DOCUMENT APK-1-DEFAULT-CODE APK-1-DEFAULT-DOCUMENT APK-1-TOKEN APK-7-OPEN"
        ),
        "gateway-forwards-first": (
            "APK-3 APK-3-NONE APK-7 APK-1-DISABLED APK-4-OTHER-API APK-4-EXACT APK-4-CA APK-4-PATH APK-5 "
            "APK-5-NAME APK-5-FORMS APK-5-BLANK APK-5-ENCODED APK-6 APK-6-SEVERAL-CODE APK-6-SEVERAL-DOCUMENT "
            "APK-6-PLACE-DOCUMENT APK-1-DEFAULT-CODE APK-1-DEFAULT-DOCUMENT APK-1-TOKEN APK-7-OPEN APK-10"
        ),
        "gateway-last-certificate-only": (
            "APK-7 APK-7-OPTIONAL APK-7-BROKEN APK-7-DISABLED APK-4-PATH APK-5-NAME APK-5-FORMS APK-5-ENCODED "
            "APK-6-SEVERAL-CODE APK-6-SEVERAL-DOCUMENT APK-1-DEFAULT-CODE APK-1-DEFAULT-DOCUMENT APK-1-TOKEN "
            "APK-7-OPEN APK-8-GATEWAY APK-9 APK-9-TOKEN APK-9-OUTBOUND"
        ),
        "gateway-mandatory-wrong-certificate-ignored": (
            "APK-4-OTHER-API APK-4-EXACT APK-4-CA APK-4-PATH APK-5-FORMS APK-5-ENCODED APK-6 APK-6-SEVERAL-CODE "
            "APK-6-SEVERAL-DOCUMENT APK-6-PLACE-DOCUMENT"
        ),
        "gateway-mtls-off": (
            "APK-3-NONE APK-7-OPTIONAL APK-7-BROKEN APK-4-OTHER-API APK-4-EXACT APK-4-CA APK-4-PATH APK-5 "
            "APK-5-NAME APK-5-FORMS APK-5-BLANK APK-5-ENCODED APK-6-SEVERAL-CODE APK-6-SEVERAL-DOCUMENT "
            "APK-1-DEFAULT-CODE APK-7-OPEN APK-8-GATEWAY APK-10"
        ),
        "gateway-other-error-code": (
            "APK-2 APK-3 APK-3-NONE APK-7 APK-1-DISABLED APK-4-OTHER-API APK-4-EXACT APK-4-CA APK-5 APK-5-NAME "
            "APK-5-FORMS APK-5-BLANK APK-5-ENCODED APK-6 APK-6-SEVERAL-CODE APK-6-SEVERAL-DOCUMENT "
            "APK-6-PLACE-DOCUMENT APK-1-DEFAULT-CODE APK-1-DEFAULT-DOCUMENT APK-1-TOKEN APK-7-OPEN"
        ),
        "gateway-reads-another-header": (
            "APK-3 APK-7 APK-7-OPTIONAL APK-7-BROKEN APK-7-DISABLED APK-4-OTHER-API APK-4-PATH APK-5-NAME "
            "APK-5-FORMS APK-5-ENCODED APK-6 APK-6-SEVERAL-CODE APK-6-SEVERAL-DOCUMENT APK-6-PLACE-DOCUMENT "
            "APK-1-DEFAULT-CODE APK-1-DEFAULT-DOCUMENT APK-1-TOKEN APK-7-OPEN APK-8-GATEWAY APK-9 APK-9-TOKEN "
            "APK-9-OUTBOUND"
        ),
    }.items()
}
