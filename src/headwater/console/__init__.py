"""The web console: what people look at and click on.

In comes a browser, signed in with a token or a password; out go pages. Every page asks operations, as anybody with a
token does, and nothing else: what a person may not do by its scopes the console cannot do either. `pages/` is the
menu: one file a page, found by itself.

An event never passes here, so nothing here may hold one up: the console lives in the process of `manage`, is loaded
when the first browser comes, and asks no outside host for anything.
"""
