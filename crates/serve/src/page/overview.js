// What the server says of itself.
//
// Read by tests: `#server [data-fact=NAME]`: state, uptime, models, threads, queue, connections,
// http, grpc, safety.
import { facts, put } from "./elements.js";
import { count, span, time, whole } from "./numbers.js";
import { lineChart } from "./chart.js";

/** Fills the section of the server. */
export function overview(host) {
  const list = facts(
    [
      ["state", "State"],
      ["uptime", "Up for"],
      ["models", "Models"],
      ["threads", "Threads"],
      ["queue", "Waiting"],
      ["connections", "Connections"],
      ["http", "HTTP"],
      ["grpc", "gRPC"],
      ["safety", "Access"],
    ],
    { class: "facts wide" },
  );
  const chart = lineChart({
    name: "queue",
    title: "Queue and connections",
    format: whole,
    log: false,
    series: [
      { key: "queue", name: "waiting", ink: "ink-1" },
      { key: "connections", name: "connections", ink: "ink-3" },
    ],
  });
  host.replaceChildren(list.root, chart.root);

  return {
    chart,
    update({ server, models }) {
      put(host, "data-ready", String(server.ready));
      list.set("state", server.ready ? "ready" : "not ready");
      list.value("state").className = server.ready ? "state-ready" : "state-loading";
      list.set("uptime", span(server.uptime_s));
      put(list.value("uptime"), "title", `since ${time(server.started)}`);
      const answering = models.filter((model) => model.default_version !== null).length;
      list.set(
        "models",
        answering === models.length ? whole(models.length) : `${answering} of ${models.length} ready`,
      );
      list.set("threads", whole(server.threads));
      list.set("queue", `${whole(server.queue)} of ${whole(server.queue_limit)}`);
      list.value("queue").classList.toggle("full", server.queue >= server.queue_limit);
      list.set("connections", whole(server.connections));
      list.set("http", server.http);
      list.set("grpc", server.grpc || "off");
      list.set("safety", [server.tls ? "TLS" : "no TLS", server.token ? "token" : "no token"].join(", "));
    },
    draw(history, now) {
      chart.draw(history.server, now);
    },
    /** What a screen reader is told when it changes. */
    words({ server, models }) {
      return `The server is ${server.ready ? "ready" : "not ready"}, with ${count(models.length, "model")}.`;
    },
  };
}
