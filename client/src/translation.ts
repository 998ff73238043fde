// Lets the page live while a browser translates it. A translator puts elements in the place of texts; React still holds the
// texts, and would throw when it takes one away or puts something before it (facebook/react issue 11538).
const { removeChild, insertBefore } = Node.prototype;

Node.prototype.removeChild = function <T extends Node>(this: Node, child: T): T {
  return child.parentNode === this ? (removeChild.call(this, child) as T) : child;
};

Node.prototype.insertBefore = function <T extends Node>(this: Node, node: T, before: Node | null): T {
  return insertBefore.call(this, node, before?.parentNode === this ? before : null) as T;
};
