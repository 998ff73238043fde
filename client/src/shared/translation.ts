// Keeps the page alive while a browser translates it. A translator replaces text nodes by elements; React still holds
// the text nodes, and would throw when it removes one or inserts before it (facebook/react issue 11538).
const { removeChild, insertBefore } = Node.prototype;

Node.prototype.removeChild = function <T extends Node>(this: Node, child: T): T {
  return child.parentNode === this ? (removeChild.call(this, child) as T) : child;
};

Node.prototype.insertBefore = function <T extends Node>(this: Node, node: T, before: Node | null): T {
  return insertBefore.call(this, node, before?.parentNode === this ? before : null) as T;
};
