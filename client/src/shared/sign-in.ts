// The mark of a page with sign-in, and the address of sign-in. The rest is loaded only on such a page.

/** True if the gateway has marked the page: it sends people to auth. */
export const hasSignIn = (): boolean => document.querySelector('meta[name="sign-in"]') !== null;

/** The address that leads to the issuer, and then back to what is shown now. */
export const signInAddress = (): string =>
  `/login?${new URLSearchParams({ return: window.location.pathname + window.location.search })}`;
