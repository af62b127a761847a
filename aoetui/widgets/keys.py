"""Keys in the order in which they were pressed.

Textual looks a bound key up once it has bubbled to the app, among the bindings of what has the focus by then; letters act now.
Of keys that arrive in one bunch, as over a slow link, `home` would so act after the letters that follow it, and `space` on the
control that `tab` went to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.binding import BindingsMap

if TYPE_CHECKING:
    from textual import events
    from textual.widget import Widget as _Base
else:
    # Textual takes styles from the first base that is a widget, which is to be the control's own class.
    _Base = object


class InOrder(_Base):
    """A control that carries its own bindings out as soon as their key reaches it. Stands before the control's class."""

    async def on_key(self, event: events.Key) -> None:
        """Do what this key is bound to here, if anything."""
        for each in type(self).__mro__:
            for binding in BindingsMap(each.__dict__.get("BINDINGS", ())).key_to_bindings.get(event.key, ()):
                event.stop()
                event.prevent_default()
                await self.run_action(binding.action)
                return
