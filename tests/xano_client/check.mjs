// Calls a server with Xano's own client and prints, as JSON, what came back of each call.
import { createRequire } from "node:module";
const require = createRequire(process.cwd() + "/");
const { XanoNodeClient, XanoFile } = require("@xano/js-sdk");

const xano = new XanoNodeClient({ apiGroupBaseUrl: process.argv[2] });
const seen = {};

async function call(name, asked) {
  try {
    const answer = await asked();
    seen[name] = { status: answer.getStatusCode(), body: answer.getBody() };
  } catch (error) {
    if (!error.getResponse) throw error;
    const answer = error.getResponse();
    seen[name] = { status: answer.getStatusCode(), body: answer.getBody() };
  }
  return seen[name].body;
}

const ada = { name: "Ada", email: "ada@x.io", password: "correct horse" };
await call("signup", () => xano.post("/auth/signup", ada));
await call("signup again", () => xano.post("auth/signup", ada));
const { authToken } = await call("login", () => xano.post("/auth/login", { email: ada.email, password: ada.password }));
await call("wrong password", () => xano.post("/auth/login", { email: ada.email, password: "wrong" }));
await call("me without a token", () => xano.get("/auth/me"));
xano.setAuthToken(authToken);
await call("me", () => xano.get("/auth/me"));
xano.setAuthToken(authToken.slice(0, -4) + "AAAA");
await call("me with a stale token", () => xano.get("/auth/me"));
await call("login with a stale token", () => xano.post("/auth/login", { email: ada.email, password: ada.password }));
xano.setDataSource("test");
await call("params", () => xano.get("/params", { ids: [1, 2], yes: true, none: null, text: "a b&c", o: { k: "v" } }));
await call("nothing", () => xano.post("/nothing"));
await call("delete", () => xano.delete("/params", { ids: [3], text: "x" }));
const file = new XanoFile("a.txt", Buffer.from("hello"));
await call("upload", () => xano.post("/upload", { file, count: 3, tags: ["a", "b"], note: null }));
console.log(JSON.stringify(seen));
