// A browser starts no worker of a page that was opened from a folder. There an invisible frame stands in for
// it, as far as the search needs: one script, and messages both ways.
if (location.protocol === "file:") {
  window.Worker = class {
    onmessage = null;
    onerror = null;
    onmessageerror = null;
    #waiting = [];
    #frame = document.createElement("iframe");

    constructor(address) {
      this.#frame.hidden = true;
      document.documentElement.append(this.#frame);
      const inside = this.#frame.contentWindow;
      inside.postMessage = (data) => this.#deliver(this, data);
      const script = inside.document.createElement("script");
      script.onerror = (event) => this.onerror?.(event);
      script.onload = () => {
        const waiting = this.#waiting;
        this.#waiting = null;
        for (const data of waiting) this.#deliver(inside, data);
      };
      script.src = address;
      inside.document.head.append(script);
    }

    postMessage(data) {
      if (this.#waiting) this.#waiting.push(data);
      else this.#deliver(this.#frame.contentWindow, data);
    }

    terminate() {
      this.#frame.remove();
    }

    // A copy, and later: as between threads.
    #deliver(receiver, data) {
      const copy = structuredClone(data);
      setTimeout(() => receiver.onmessage?.({ data: copy }));
    }
  };
}
