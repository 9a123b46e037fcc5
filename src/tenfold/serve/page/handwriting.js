export class Handwriting { constructor(pad, asker, describe) {} async start(classes) { document.getElementById("own-hint").hidden = false; } }
