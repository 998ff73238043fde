// A fake of the dialog features that jsdom lacks: taking the focus, restoring it on close, and closing on Escape.
let openers = new WeakMap<HTMLDialogElement, Element | null>();

function onKey(this: HTMLDialogElement, event: KeyboardEvent) {
  if (event.key === 'Escape') this.close();
}

export function installDialog() {
  openers = new WeakMap();
  HTMLDialogElement.prototype.showModal = function () {
    if (this.open) throw new Error('it is open already');
    openers.set(this, document.activeElement);
    this.open = true;
    this.addEventListener('keydown', onKey);
    this.querySelector<HTMLElement>('input, button')?.focus();
  };
  HTMLDialogElement.prototype.close = function () {
    if (!this.open) return;
    this.open = false;
    this.removeEventListener('keydown', onKey);
    const opener = openers.get(this);
    if (opener instanceof HTMLElement) opener.focus();
    setTimeout(() => this.dispatchEvent(new Event('close')));
  };
}
