"""Where results go: window, web page, recorder, clouds."""
