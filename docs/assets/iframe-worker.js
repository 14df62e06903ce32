// Browsers start no Worker from a folder (file:), and the search of the site runs in one. Here a
// hidden frame runs the worker's script instead. The search asks for IFrameWorker by this name.
if (location.protocol === "file:") {
  const load = (document, url) =>
    new Promise((resolve, reject) => {
      const script = document.createElement("script");
      Object.assign(script, { src: url, onload: resolve, onerror: reject });
      document.head.append(script);
    });

  window.Worker = window.IFrameWorker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      Object.assign(frame, { hidden: true, srcdoc: "<!doctype html>" });
      this.frame = new Promise((resolve) => {
        frame.onload = async () => {
          const inside = frame.contentWindow;
          inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
          inside.importScripts = async (...urls) => {
            for (const each of urls) await load(inside.document, each);
          };
          await load(inside.document, new URL(url, document.baseURI).href);
          resolve(inside);
        };
      });
      document.body.append(frame);
    }

    async postMessage(data) {
      (await this.frame).dispatchEvent(new MessageEvent("message", { data }));
    }
  };
}
