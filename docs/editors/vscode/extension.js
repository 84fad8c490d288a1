"use strict";

const fs = require("fs");
const path = require("path");
const { workspace } = require("vscode");
const { LanguageClient, TransportKind } = require("vscode-languageclient/node");

let client;

/** The command that was set, else that of a virtual environment in an open folder, else the one on the PATH. */
function command() {
  const set = workspace.getConfiguration("stackwright").get("command");
  const within = process.platform === "win32" ? [".venv", "Scripts", "stackwright.exe"] : [".venv", "bin", "stackwright"];
  const folders = (workspace.workspaceFolders || []).map((folder) => path.join(folder.uri.fsPath, ...within));
  return set || folders.find((file) => fs.existsSync(file)) || "stackwright";
}

function activate() {
  const server = { command: command(), args: ["lsp"], transport: TransportKind.stdio };
  // The server answers for files of a workspace alone: any other YAML is left to whoever reads that.
  const options = { documentSelector: [{ scheme: "file", language: "yaml" }] };
  client = new LanguageClient("stackwright", "Stackwright", server, options);
  return client.start();
}

function deactivate() {
  return client && client.stop();
}

module.exports = { activate, deactivate };
