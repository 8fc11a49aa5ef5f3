"""How evidence is had: live requests, scripts of steps, requests that keep coming."""
