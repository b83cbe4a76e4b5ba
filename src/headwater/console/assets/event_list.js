// A long list that grows at its top. Rows come as HTML; they are chosen by click, or by arrows and Enter.
export default {
  template: `
    <div class="event-list">
      <div class="heads" aria-hidden="true"><span v-for="[kind, text] in heads" :class="kind">{{ text }}</span></div>
      <div ref="rows" role="listbox" :aria-label="label" tabindex="-1" @click="onClick" @keydown="onKey"></div>
    </div>`,
  props: { first: String, heads: Array, label: String, most: Number },
  mounted() {
    this.fill(this.first);
  },
  methods: {
    fill(rows) {
      this.$refs.rows.innerHTML = rows;
      this.lead(this.$refs.rows.firstElementChild);
    },
    add(rows) {
      const list = this.$refs.rows;
      list.insertAdjacentHTML("afterbegin", rows);
      while (list.children.length > this.most) list.lastElementChild.remove();
      if (!list.querySelector('[tabindex="0"]')) this.lead(list.firstElementChild);
    },
    // One row can be reached by Tab, the others from it by arrows.
    lead(row) {
      this.$refs.rows.querySelector('[tabindex="0"]')?.setAttribute("tabindex", "-1");
      row?.setAttribute("tabindex", "0");
    },
    choose(row) {
      this.unchoose();
      row.setAttribute("aria-selected", "true");
      this.lead(row);
      this.$emit("choose", row.dataset.id);
    },
    unchoose() {
      this.$refs.rows.querySelector('[aria-selected="true"]')?.removeAttribute("aria-selected");
    },
    onClick(event) {
      const row = event.target.closest("[data-id]");
      if (row) this.choose(row);
    },
    onKey(event) {
      const row = event.target.closest("[data-id]");
      if (!row) return;
      if (event.key === "Enter" || event.key === " ") this.choose(row);
      else if (event.key === "ArrowDown") this.move(row.nextElementSibling);
      else if (event.key === "ArrowUp") this.move(row.previousElementSibling);
      else return;
      event.preventDefault();
    },
    move(row) {
      if (!row) return;
      this.lead(row);
      row.focus();
    },
  },
};
