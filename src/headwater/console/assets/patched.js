// HTML that changes in place: what stays the same keeps its node, and with it the focus, the selection and the scroll.
const sameAttributes = (from, to) => {
  for (const { name } of [...from.attributes]) {
    if (!to.hasAttribute(name) && !(name === "open" && from.nodeName === "DETAILS")) from.removeAttribute(name);
  }
  for (const { name, value } of to.attributes) {
    if (from.getAttribute(name) !== value) from.setAttribute(name, value);
  }
};

const patch = (from, to) => {
  const wanted = [...to.childNodes];
  const there = [...from.childNodes];
  wanted.forEach((node, index) => {
    const old = there[index];
    if (!old) from.append(node);
    else if (old.nodeType !== node.nodeType || old.nodeName !== node.nodeName) old.replaceWith(node);
    else if (node.nodeType !== Node.ELEMENT_NODE) {
      if (old.data !== node.data) old.data = node.data;
    } else {
      sameAttributes(old, node);
      patch(old, node);
    }
  });
  there.slice(wanted.length).forEach((old) => old.remove());
};

export default {
  template: "<div></div>",
  props: { content: String },
  mounted() {
    this.$el.innerHTML = this.content;
  },
  watch: {
    content(text) {
      const next = document.createElement("template");
      next.innerHTML = text;
      patch(this.$el, next.content);
    },
  },
};
