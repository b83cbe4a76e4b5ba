"""Visits to the console of a house, as people make them."""

from __future__ import annotations

from playwright.sync_api import Page

from headwater.contracts.house import RunningHouse


def sign_in(page: Page, house: RunningHouse, *, next_path: str = "/console/") -> None:
    """Go to a page of the console, and sign in with the admin token on the way."""
    page.goto(house.manage_url + next_path)
    page.get_by_label("Token").fill(house.token)
    page.get_by_role("button", name="Sign in").first.click()
    page.wait_for_url(house.manage_url + next_path)


def sign_in_with_password(page: Page, house: RunningHouse, email: str, password: str) -> None:
    """Sign in as a user."""
    page.goto(f"{house.manage_url}/console/sign-in")
    page.get_by_text("Sign in with e-mail and password").click()
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").last.click()
    page.wait_for_url(f"{house.manage_url}/console/")


def add_user(house: RunningHouse, email: str, password: str, *roles: str) -> str:
    """Make a user with roles, and return the id."""
    body = {"email": email, "name": email.partition("@")[0].title(), "password": password}
    given = {"permissions": [{"roleId": role} for role in roles]}
    return house.ask("POST", "/headwater/users", body | given)["user"]["id"]
