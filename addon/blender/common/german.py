# SPDX-License-Identifier: GPL-3.0-or-later
"""The interface in German: data only. What Blender itself translates, such as “Cancel”, it says in its own words."""

TEXTS = {
    # the panel
    "Generate": "Erzeugen",
    "Generate {count}": "{count} erzeugen",
    "a new material": "ein neues Material",
    "No UV map": "Keine UV-Map",
    "Add UV Map": "UV-Map anlegen",
    "Open Preferences": "Einstellungen öffnen",
    "Preferences": "Einstellungen",
    "{number} of {count}": "{number} von {count}",
    "Seam not measured": "Naht nicht gemessen",
    "Tiling was off ({score:.2f})": "Ohne Kacheln ({score:.2f})",
    "Seamless ({score:.2f})": "Nahtlos ({score:.2f})",
    "Seamless ({score:.2f}, roll test {p:.2f})": "Nahtlos ({score:.2f}, Rolltest {p:.2f})",
    "Seam visible ({score:.2f})": "Naht sichtbar ({score:.2f})",
    "Texture": "Textur",
    "Model": "Modell",
    "Sigmas": "Sigmas",
    "How the noise is spread over the steps": "Wie das Rauschen auf die Schritte verteilt wird",
    "As the model's scheduler has them": "Wie der Scheduler des Modells sie hat",
    "Karras": "Karras",
    "More of the steps where detail is made": "Mehr der Schritte dort, wo Einzelheiten entstehen",
    "Exponential": "Exponentiell",
    "Like Karras, more even": "Wie Karras, gleichmäßiger",
    "Trailing": "Ab vollem Rauschen",
    "From pure noise on, for models and LoRAs made for few steps": "Vom reinen Rauschen an, für Modelle und LoRAs, die "
    "für wenige Schritte gemacht sind",
    "LCM": "LCM",
    "For models and LoRAs made for few steps: LCM, DMD": "Für Modelle und LoRAs, die für wenige Schritte gemacht sind: "
    "LCM, DMD",
    "TCD": "TCD",
    "For models and LoRAs made for few steps: TCD, Hyper": "Für Modelle und LoRAs, die für wenige Schritte gemacht "
    "sind: TCD, Hyper",
    "The sigmas {sigmas} don't fit the scheduler {scheduler}.": "Die Sigmas {sigmas} passen nicht zum Scheduler "
    "{scheduler}.",
    "Add Files": "Dateien hinzufügen",
    "Not here": "Nicht da",
    "Missing": "Fehlt",
    "The file was not there when it was chosen or restored": "Die Datei war nicht da, als sie gewählt oder "
    "wiederhergestellt wurde",
    "LoRAs": "LoRAs",
    "LoRA": "LoRA",
    "LoRA for {base}": "LoRA für {base}",
    "Embedding": "Embedding",
    "Embedding for {base}": "Embedding für {base}",
    "Embeddings": "Embeddings",
    "Add LoRA or Embedding": "LoRA oder Embedding hinzufügen",
    "Add LoRAs or embeddings: .safetensors files, looked for in the Models folder of the preferences first": ""
    "LoRAs oder Embeddings hinzufügen: .safetensors-Dateien, zuerst im Ordner Modelle der Einstellungen gesucht",
    "Remove File": "Datei entfernen",
    "Take this file off the list": "Diese Datei von der Liste nehmen",
    "Add to Prompt": "Zum Prompt hinzufügen",
    "Add this word to the prompt: its maker says that it calls up what was trained": "Dieses Wort zum Prompt "
    "hinzufügen: nach Angabe des Urhebers ruft es hervor, was trainiert wurde",
    "The starter takes no LoRAs or embeddings: they are made for larger models. Choose one above.": "Das "
    "mitgelieferte Modell nimmt keine LoRAs oder Embeddings: sie sind für größere Modelle gemacht. Wählen Sie oben "
    "eines.",
    "Small files that teach the model a style or a subject": "Kleine Dateien, die dem Modell einen Stil oder ein Motiv "
    "beibringen",
    "Textual inversions: files that teach the model a word, for either prompt": "Textual Inversions: Dateien, die dem "
    "Modell ein Wort beibringen, für beide Prompts",
    "Clip Skip": "Clip Skip",
    "Which layer of its text encoder the model reads, counted from the end as on model pages: 1 the last, 2 the one "
    "before. 0: the model's own": "Welche Schicht seines Text-Encoders das Modell liest, vom Ende gezählt wie auf den "
    "Seiten der Modelle: 1 die letzte, 2 die davor; 0: die eigene des Modells",
    "File": "Datei",
    "A .safetensors file: its path, or its name if it is in the Models folder of the preferences": "Eine "
    ".safetensors-Datei: ihr Pfad, oder ihr Name, wenn sie im Ordner Modelle der Einstellungen liegt",
    "Hash": "Hash",
    "What a recipe says of the file; empty: any": "Was ein Rezept von der Datei sagt; leer: irgendeine",
    "Made For": "Gemacht für",
    "The models that it is made for; empty: unknown": "Die Modelle, für die sie gemacht ist; leer: unbekannt",
    "Words": "Wörter",
    "Words that call it up, one a line": "Wörter, die sie hervorrufen, eines je Zeile",
    "Weight": "Gewicht",
    "How strongly it acts: 1 as it was made, 0 not at all, below 0 the opposite": "Wie stark sie wirkt: 1 wie "
    "gemacht, 0 gar nicht, unter 0 das Gegenteil",
    "{name} is no LoRA and no embedding.": "{name} ist weder LoRA noch Embedding.",
    "You don't have {name}. Choose its file, or remove it.": "{name} ist nicht da. Wählen Sie die Datei, oder nehmen "
    "Sie sie von der Liste.",
    "{name} is not here.": "{name} ist nicht da.",
    "A LoRA or embedding": "Ein LoRA oder Embedding",
    "Choose its file, or remove it.": "Wählen Sie die Datei, oder entfernen Sie sie von der Liste.",
    "Target": "Ziel",
    "Material": "Material",
    "Negative": "Ohne",
    "Steps": "Schritte",
    "This model's textures repeat nearly, not exactly.": "Texturen dieses Modells wiederholen sich fast, nicht genau.",
    "Steps (model: {steps})": "Schritte (Modell: {steps})",
    "Guidance": "Prompttreue",
    "Guidance (model: {guidance:g})": "Prompttreue (Modell: {guidance:g})",
    "Final prompt: {text}": "Ganzer Prompt: {text}",
    "Read as: {text}": "Gelesen als: {text}",
    "The model does not know: {words}.": "Das Modell kennt nicht: {words}.",
    "Clear Template": "Vorlage entfernen",
    "Remove the preset's words from the prompt. Its other settings stay": "Die Wörter der Vorgabe vom Prompt "
    "wegnehmen; ihre anderen Einstellungen bleiben",
    "Makes": "Macht",
    "What Generate makes": "Was Erzeugen macht",
    "Color": "Farbe",
    "Color only": "Nur die Farbe",
    "Color plus height, normal, roughness, metallic and occlusion maps": "Die Farbe und ihre Maps: Höhe, "
    "Normalen, Rauheit, Metall und Verdeckung",
    "Into the history: Previews First": "In den Verlauf: Erst ansehen",
    "The texture will go into the history.": "Erzeugen legt die Textur in den Verlauf.",
    "Generate List": "Liste erzeugen",
    "Make one texture for each line of a list, with the current settings. They go into the history": ""
    "Aus jeder Zeile einer Liste eine Textur machen, mit den jetzigen Einstellungen; sie kommen in den Verlauf",
    "Text": "Text",
    "A text in this file, one prompt per line or a table": "Ein Text dieser Datei, mit einem Prompt je Zeile, oder "
    "eine Tabelle",
    "A file instead, one prompt per line, CSV or JSON lines": "Statt dessen eine Datei, mit einem Prompt je Zeile, CSV "
    "oder JSON-Zeilen",
    "This file has no text.": "In dieser Datei gibt es keinen Text.",
    "Write one in a Text Editor, one prompt per line, or choose a file.": "Schreiben Sie einen im Texteditor, einen "
    "Prompt je Zeile, oder wählen Sie eine Datei.",
    "There is no text {name}.": "Es gibt keinen Text {name}.",
    "Choose another.": "Wählen Sie einen anderen.",
    "{name}, line {line}: {message}": "{name}, Zeile {line}: {message}",
    "And {count} more lines are wrong.": "Und {count} weitere Zeilen sind falsch.",
    "Nothing was queued.": "Nichts wurde eingereiht.",
    "{name} is too large for a list of prompts.": "{name} ist zu groß für eine Liste von Prompts.",
    "{name}: {done} of {count}": "{name}: {done} von {count}",
    ", {count} failed": ", {count} gescheitert",
    "Also the others of its list": "Auch die anderen seiner Liste",
    "{name} cannot be read: {reason}.": "{name} kann nicht gelesen werden: {reason}.",
    "{tile} is no way to repeat.": "{tile} ist keine Art, sich zu wiederholen.",
    "{count} prompts": "{count} Prompts",
    "1 prompt": "1 Prompt",
    "This text has no prompt in it.": "In diesem Text steht kein Prompt.",
    "{count} prompts queued.": "Prompts in der Warteschlange: {count}.",
    # the selected texture
    "{size}, seed {seed}, {duration}": "{size}, Seed {seed}, {duration}",
    "Made from another picture, {duration}": "Aus einem anderen Bild gemacht, {duration}",
    "In the active material.": "Im aktiven Material.",
    "In this file.": "In dieser Datei.",
    "In this file, but in no material. Press Apply to use it.": "In dieser Datei, aber in keinem Material; Anwenden "
    "setzt sie ein.",
    "Not in this file. Press Apply to use it.": "Nicht in dieser Datei; Anwenden setzt sie ins Material.",
    "Made for what was open before. Press Apply to use it here.": "Für das gemacht, was vorher offen war; "
    "Anwenden setzt sie hier ins Material.",
    "Show in Viewport": "Im Viewport zeigen",
    "Show As": "Zeigen als",
    "Material Preview": "Materialvorschau",
    "The whole material, lit by Blender": "Das ganze Material, in Blenders eigenem Licht",
    "Solid, Texture": "Solide, Textur",
    "Color only: fastest, but ignores the scale of the mapping": "Nur die Farbe: am schnellsten, ohne die Skalierung "
    "des Mappings",
    "Show only the color in the 3D View: fastest, but ignores the scale of the mapping": "Die 3D-"
    "Ansicht nur die Farbe zeigen lassen: am schnellsten. Die Skalierung des Mappings bleibt außer Acht",
    "Show the whole material in the 3D View: Material Preview": "Die 3D-Ansicht das ganze Material zeigen lassen: "
    "Materialvorschau",
    "No 3D View is open.": "Es ist keine 3D-Ansicht offen.",
    "Remake Maps": "Maps neu machen",
    "Unlink Old Maps": "Alte Maps entfernen",
    "Remove the maps of the previous texture from the material. Their images stay in the file": "Die Maps der "
    "vorigen Textur aus dem Material nehmen. Ihre Bilder bleiben in der Datei",
    "{name} has no maps of another texture.": "{name} hat keine Maps einer anderen Textur.",
    "The selected texture. Click to choose another one on this page": ""
    "Die gewählte Textur; ein Klick zeigt die anderen dieser Seite",
    "{label}: {found} of {count}": "{label}: {found} von {count}",
    "Show All": "Alle zeigen",
    "Show all textures": "Alle Texturen zeigen",
    "Never Show": "Nie mehr melden",
    "For Good": "Für immer",
    "Never show this message again. The preferences can bring it back": ""
    "Auch von keinen anderen; die Einstellungen können das ändern",
    "Apply the ones you want and save the file. Favorites always stay.": "Wenden Sie an, was Sie behalten "
    "wollen, und speichern Sie die Datei; ein Favorit bleibt auf jeden Fall.",
    "Not fitted to the object": "Nicht ans Objekt angepasst",
    "Fitted": "Angepasst",
    "Tile size the texture was last scaled to; 0: never": "Die Kachelgröße, auf die die Textur zuletzt "
    "skaliert wurde; 0: nie",
    "Fitted Scale": "Angepasste Skalierung",
    "The scale set then": "Worauf die Skalierung da gesetzt wurde",
    # preferences that came later
    "Fit New Textures": "Neue Texturen anpassen",
    "Scale the mapping of a new texture so that one repeat on the object is as large as the material's Tile Size": ""
    "Das Mapping, das eine neue Textur bekommt, so skalieren, dass eine Kachel am Objekt so groß ist, wie die "
    "Kachelgröße des Materials sagt",
    "Show Unsaved Textures": "Ungesicherte Texturen melden",
    "When Blender starts, show earlier textures that are in no saved file": "Beim Start von Blender Texturen von "
    "früher melden, die keine gesicherte Datei hat",
    "What Generate makes in a new file: maps too": "Was Erzeugen in einer neuen Datei macht: auch Maps",
    "Don't show these again. They stay in the history": "Von diesen nicht mehr melden; sie bleiben im Verlauf",
    "Make a seamless texture in the background, for the material or, without one, the history": ""
    "Aus dem Prompt im Hintergrund eine nahtlose Textur machen, für das Material oder, wo keines ist, den "
    "Verlauf",
    "See the previous texture or, if the object shows another one, this one. Hold the button, or click it and click "
    "again": ""
    "Die Textur von vorher sehen; wo eine andere gezeigt wird, diese. Den Knopf halten oder anklicken: dann "
    "beendet der nächste Klick es",
    "Width of one repeat on the object; the relief is a fraction of it. Fitted textures follow it": ""
    "Die Breite einer Kachel der Textur am Objekt, von der auch ihr Relief ein Teil ist. Eine angepasste "
    "Textur folgt ihr",
    "What the texture shows, in a few words": "Was die Textur zeigt, mit ein paar Worten",
    "Generate at Another Size...": "In anderer Größe erzeugen...",
    "Delete...": "Löschen...",
    "Make Tileable...": "Kachelbar machen...",
    "Make Material from Image...": "Material aus Bild machen...",
    "Upscale...": "Hochskalieren...",
    "See the previous texture or, if the object shows another one, this one. Hold, or click and click again": ""
    "Die Textur von vorher sehen; wo eine andere gezeigt wird, diese. Halten, oder klicken und noch einmal "
    "klicken",
    "Other programs keep the computer busy. Raise Priority in the preferences to give the engine more of it.": ""
    "Andere Programme beschäftigen den Rechner. Die Priorität in den Einstellungen gibt der Engine mehr davon.",
    "Free After (Minutes)": "Freigeben nach (Minuten)",
    "Unload the models after this many idle minutes. The next job loads them again": ""
    "Nach so vielen Minuten ohne Auftrag gibt die Engine ihre Modelle und deren Speicher frei. Der nächste "
    "Auftrag lädt sie wieder",
    "Priority": "Priorität",
    "How the engine shares the processor with other programs. Takes effect with the next job": ""
    "Wie viel vom Prozessor sich die Engine nimmt, wo ihn auch andere Programme wollen. Eine Änderung gilt ab "
    "dem nächsten Auftrag",
    "Behind Others": "Hinter anderen",
    "Blender stays smooth, but textures take long on a busy computer": ""
    "Blender bleibt flüssig; auf einem beschäftigten Rechner dauert eine Textur lange",
    "Like Others": "Wie andere",
    "Textures come sooner, but Blender may stutter": "Texturen kommen früher; Blender kann dabei stocken",
    "Computing": "Rechnen",
    "In Blender": "In Blender",
    "Textures on Disk": "Texturen auf der Platte",
    "Tilewright Manual": "Tilewright-Handbuch",
    "Open this version's manual": "Das Handbuch öffnen, das mit dieser Version kam",
    "It already repeats without a seam ({score:.2f}).": "Es wiederholt sich schon ohne Naht ({score:.2f}).",
    "Restore Settings": "Einstellungen wiederherstellen",
    "not measured": "nicht gemessen",
    "its device": "ihrem Gerät",
    "A texture of 256x256 took {seconds:.1f} s on {device}; seam score {score}.": ""
    "Eine Textur von 256x256 dauerte {seconds:.1f} s auf {device}; Nahtwert {score}.",
    "The engine works.": "Die Engine funktioniert.",
    "{name} was removed.": "{name} wurde entfernt.",
    "Removing {name}": "{name} wird entfernt",
    "Everything Tilewright put on this machine was removed.": ""
    "Alles, was Tilewright auf diesen Rechner gelegt hatte, wurde entfernt.",
    "The textures are kept.": "Die Texturen bleiben.",
    "You can uninstall it now.": "Sie können es jetzt deinstallieren.",
    "Still from the previous texture: {maps}.": "Noch von der vorigen Textur: {maps}.",
    "Something else feeds {input}: the node {node} is not linked.": ""
    "Etwas anderes speist {input}: der Node {node} ist mit nichts verbunden.",
    "Blender {version} cannot read the Combined of {name}.": "Blender {version} kann „Combined“ in {name} nicht lesen.",
    "Use Blender 4.5 or 5.2, or save it as a plain OpenEXR.": (
        "Nehmen Sie Blender 4.5 oder 5.2, oder speichern Sie es als einfaches OpenEXR."
    ),
    "Exporting {done} of {count}": "Exportiere {done} von {count}",
    "The export was cancelled.": "Der Export wurde abgebrochen.",
    "Cannot export: {reason}.": "Export nicht möglich: {reason}.",
    "Cannot export: the Blender that writes the maps ended with {code}.": (
        "Export nicht möglich: Das Blender, das die Maps schreibt, endete mit {code}."
    ),
    "Look into the log.": "Sehen Sie im Protokoll nach.",
    "Copy": "Kopie",
    "Maps are being exported.": "Es werden gerade Maps exportiert.",
    "Wait for them, or cancel that.": "Warten Sie darauf, oder brechen Sie das ab.",
    "Cancel the export of maps, or close what is told of it": (
        "Den Export der Maps abbrechen, oder die Meldung schließen"
    ),
    "Wait": "Warten",
    "Return when the files are written. From the file browser they are written in the background": (
        "Erst fertig sein, wenn die Dateien geschrieben sind. Aus dem Dateibrowser wird im Hintergrund geschrieben"
    ),
    "{name} has several layers. The Combined of the first is used.": (
        "{name} hat mehrere Ebenen. Verwendet wird „Combined“ der ersten."
    ),
    "{name} is {kind}, not one picture.": "{name} ist {kind}, nicht ein einzelnes Bild.",
    "a movie": "ein Film",
    "a sequence": "eine Sequenz",
    "a set of UDIM tiles": "ein Satz UDIM-Kacheln",
    "a viewer": "ein Viewer",
    "{name} has no file.": "{name} hat keine Datei.",
    "The file of {name} is missing: {path}.": "Die Datei von {name} fehlt: {path}.",
    "{name} has no pixels.": "{name} hat keine Pixel.",
    # a picture as template
    "Template Image": "Vorlagenbild",
    "A picture to start from, such as a photo. It is only read": "Ein Bild, von dem ausgegangen wird, etwa ein "
    "Foto. Es wird nur gelesen",
    "There is no template image.": "Es gibt kein Vorlagenbild.",
    "Choose one first.": "Wählen Sie zuerst eines.",
    "This Texture": "Diese Textur",
    "Selected Result": "Gewähltes Ergebnis",
    "Use as Template": "Als Vorlage nehmen",
    "Use as Tilewright Template": "Als Vorlage für Tilewright nehmen",
    "Start the next texture from this picture": "Die nächste Textur von diesem Bild ausgehen lassen",
    "Or a picture's file": "Oder die Datei eines Bildes",
    "Generate starts from {name} now.": "Erzeugen geht jetzt von {name} aus.",
    "Cannot read the picture {path}.": "Das Bild {path} ist nicht zu lesen.",
    "Choose another one.": "Wählen Sie ein anderes.",
    "Its template image is not here. Choose one.": "Ihr Vorlagenbild ist nicht da; wählen Sie eines.",
    "Strength": "Stärke",
    "Denoising strength: how far the texture goes from the image. 0: the image itself; 0.3: its layout and colors; "
    "0.6: its rough shapes; 1: nothing of it": "Wie weit sich die Textur vom Bild entfernt. 0: das Bild selbst; "
    "0,3: seine Anordnung und Farben; 0,6: seine groben Formen; 1: nichts davon",
    "Denoising strength: how far the new part goes from what is there": "Wie weit sich das Neue von dem entfernt, "
    "was da ist",
    "Fit": "Einpassen",
    "How an image of another size becomes one of the texture's size": "Wie ein Bild anderer Größe so groß wird wie "
    "die Textur",
    "Stretch": "Strecken",
    "All of it, scaled to the texture's width and height": "Ganz, auf Breite und Höhe der Textur skaliert",
    "Crop": "Zuschneiden",
    "Its middle, without distortion": "Seine Mitte, unverzerrt",
    "Tile": "Kacheln",
    "Repeated, about at its own size": "Wiederholt, etwa in seiner eigenen Größe",
    "Make the image repeat without a seam first. Set by itself when you pick an image": "Das Bild vorher nahtlos "
    "machen; stellt sich von selbst ein, wenn man ein Bild wählt",
    "Make Anew": "Neu machen",
    "Which part of the image is made anew": "Welcher Teil des Bildes neu gemacht wird",
    "Everything": "Alles",
    "The whole picture; Strength says how far it goes from the image": "Das ganze Bild; wie weit es sich entfernt, "
    "sagt die Stärke",
    "Painted Mask": "Gemalte Maske",
    "What is white in a mask. The rest keeps its pixels": "Was in einer Maske weiß ist. Alles andere behält seine "
    "Pixel",
    "Transparent Parts": "Durchsichtiges",
    "Where the image is transparent. The rest keeps its pixels": "Wo das Bild durchsichtig ist. Alles andere behält "
    "seine Pixel",
    "Seam": "Naht",
    "A band along the edges, so it repeats. The rest keeps its pixels": "Ein Streifen an den Rändern, damit es sich "
    "wiederholt. Alles andere behält seine Pixel",
    "New Part": "Neuer Teil",
    "Grow: the image stays in one corner, and the rest is made to go with it": "Wachsen: das Bild bleibt in einer "
    "Ecke, und der Rest wird passend dazu gemacht",
    "Hollows and edges, where dirt, rust and moss begin. The rest keeps its pixels": "Vertiefungen und Kanten, wo "
    "Schmutz, Rost und Moos anfangen. Alles andere behält seine Pixel",
    "Mask": "Maske",
    "White is made anew, black stays. Paint Mask makes one": "Weißes wird neu gemacht, Schwarzes bleibt. „Maske "
    "malen“ legt eine an",
    "Paint Mask": "Maske malen",
    "Paint what is made anew, white on black, in an Image Editor or a new window. Adds a mask where there is none": ""
    "Malen, was neu gemacht wird: weiß auf schwarz, in einem Bildeditor oder einem neuen Fenster. Wo es keine Maske "
    "gibt, entsteht sie",
    "There is no mask.": "Es gibt keine Maske.",
    "Press Paint Mask, or choose another part to make anew.": "„Maske malen“ legt eine an; oder wählen Sie einen "
    "anderen Teil, der neu gemacht wird.",
    "The mask {name} is all black: nothing would be made anew.": "Die Maske {name} ist ganz schwarz: nichts würde "
    "neu gemacht.",
    "Paint white where the texture should be new.": "Malen Sie weiß, wo die Textur neu sein soll.",
    "From Faces": "Aus Flächen",
    "Mask from Faces": "Maske aus Flächen",
    "Add the selected faces of the active mesh to the mask, where they lie in the texture": "Die gewählten Flächen "
    "des aktiven Meshs zur Maske hinzunehmen, dort, wo sie in der Textur liegen",
    "No mesh is active.": "Es ist kein Mesh aktiv.",
    "Select one, and faces of it in Edit Mode.": "Wählen Sie eines und im Editiermodus Flächen davon.",
    "No face with UV coordinates is selected.": "Keine Fläche mit UV-Koordinaten ist gewählt.",
    "Select faces in Edit Mode.": "Wählen Sie im Editiermodus Flächen.",
    "Cover First": "Erst überdecken",
    "Put what fits from elsewhere in the image over the masked part first, so a scratch is gone and not only "
    "changed": "Das Maskierte vorher mit dem überdecken, was von anderswo im Bild passt: so ist ein Kratzer weg und "
    "nicht nur anders",
    "Feather": "Weiche Kante",
    "How soft the border of the new part is, as a share of the shorter side. It goes inward: outside, nothing "
    "changes": "Wie weich der Rand des Neuen ist, als Anteil der kürzeren Seite. Er geht nach innen: außerhalb "
    "ändert sich nichts",
    "Amount": "Maß",
    "Share of the picture that wears": "Anteil des Bildes, der altert",
    "Keep Edges": "Ränder behalten",
    "Leave the pixels along the edges as they are, so textures from one image tile with each other": "Die Pixel an "
    "den Rändern lassen, wie sie sind, damit Texturen aus einem Bild aneinanderpassen",
    "Tiling is off, so there is no seam.": "Das Kacheln ist aus, also gibt es keine Naht.",
    "Size of the Image": "Größe des Bildes",
    "Set the texture's size to the image's, or a multiple of it": "Die Textur so groß machen wie das Bild, oder ein "
    "Vielfaches davon",
    "Across": "Quer",
    "How many times as wide": "Wievielmal so breit",
    "Down": "Hoch",
    "How many times as high": "Wievielmal so hoch",
    "Variation": "Abwandlung",
    "How far to go from the seed's texture to another one. 0.1 to 0.4 stay near, 1 is another seed. With it, Random "
    "Seed changes the variation and keeps the seed": "Wie weit es von der Textur des Seeds zu einer anderen geht. "
    "0,1 bis 0,4 bleiben nah, 1 ist ein anderer Seed. „Zufälliger Seed“ wechselt damit die Abwandlung und lässt den "
    "Seed",
    "Detail Size": "Größe der Einzelheiten",
    "How large bricks, planks or threads are in the picture. Only for the starter, without a template image and with "
    "one tile": "Wie groß Ziegel, Bretter oder Fäden im Bild sind. Nur für den Starter, ohne Vorlagenbild und mit "
    "einer Kachel",
    "Fine": "Fein",
    "Half as large: painted at twice the size and shrunk, in four times the time. Sides up to 1024": "Halb so groß: "
    "doppelt so groß gemalt und verkleinert, in vierfacher Zeit. Seiten bis 1024",
    "Medium": "Mittel",
    "As the model paints them: the same size in pixels whatever the picture's size": "Wie das Modell sie malt: in "
    "Pixeln gleich groß, wie groß das Bild auch ist",
    "Coarse": "Grob",
    "Twice as large: painted at half the size and enlarged without a seam. Sides from 128": "Doppelt so groß: halb so "
    "groß gemalt und ohne Naht vergrößert. Seiten ab 128",
    "Detail Size needs the starter, no template image and one tile. Choose Medium.": "Die Größe der Einzelheiten "
    "braucht den Starter, kein Vorlagenbild und eine Kachel. „Mittel“ wählen.",
    "Variants": "Varianten",
    "How many tiles to make together whose edges fit each other, as one picture. Lay Without Repeat lays them by "
    "chance. Only with Tiling set to Both, without a template image and guide pictures": "Wie viele Kacheln zusammen "
    "entstehen, deren Kanten aneinander passen, als ein Bild. „Ohne Wiederholung legen“ legt sie nach Zufall. Nur mit "
    "„Kacheln: Beide“, ohne Vorlagenbild und führende Bilder",
    "{time}, {count} tiles": "{time}, {count} Kacheln",
    "Variants need Tiling set to Both, no template image and no guide pictures.": "Varianten brauchen „Kacheln: "
    "Beide“, kein Vorlagenbild und keine führenden Bilder.",
    "One Tile": "Eine Kachel",
    "A tile that fits itself": "Eine Kachel, die an sich selbst passt",
    "4 Tiles": "4 Kacheln",
    "They differ left and right": "Sie unterscheiden sich links und rechts",
    "8 Tiles": "8 Kacheln",
    "They differ left and right, two of each": "Sie unterscheiden sich links und rechts, je zwei",
    "16 Tiles": "16 Kacheln",
    "They differ on all four sides": "Sie unterscheiden sich auf allen vier Seiten",
    "Variation Seed": "Seed der Abwandlung",
    "Which texture the variation goes toward": "Auf welche Textur die Abwandlung zugeht",
    # what goes on from a result
    "Make More": "Mehr daraus",
    "Variations...": "Abwandlungen...",
    "How far from this one: 0.1 to 0.4 stay near, 1 takes other seeds": "Wie weit von dieser: 0,1 bis 0,4 bleiben "
    "nah, 1 nimmt andere Seeds",
    "Repair Seam": "Naht ausbessern",
    "Make a band along the edges anew, so the texture repeats. Everything else keeps its pixels": "Einen Streifen "
    "an den Rändern neu machen, damit sich die Textur wiederholt. Alles andere behält seine Pixel",
    "Larger Again": "Noch einmal größer",
    "Larger Again...": "Noch einmal größer...",
    "Make this texture once more at a larger size, with real detail. Upscale keeps the picture; this adds to it": ""
    "Diese Textur noch einmal größer machen, mit echten Einzelheiten. Vergrößern behält das Bild, dies fügt etwas "
    "hinzu",
    "Grow": "Wachsen",
    "Grow...": "Wachsen...",
    "Make a larger repeat that keeps this texture in one corner and continues it: fewer repeats are seen": "Eine "
    "größere Kachel machen, die diese Textur in einer Ecke behält und fortsetzt: man sieht weniger Wiederholungen",
    "Direction": "Richtung",
    "Where it grows": "Wohin sie wächst",
    "Wider": "Breiter",
    "Higher": "Höher",
    "Twice as wide": "Doppelt so breit",
    "Twice as high": "Doppelt so hoch",
    "Wear": "Alterung",
    "Wear...": "Altern...",
    "Wear this texture in its hollows and edges. The results tile with this one and each other: mix them on a wall": ""
    "Diese Textur in Vertiefungen und an Kanten altern lassen. Die Ergebnisse passen an diese und aneinander: zum "
    "Mischen auf einer Wand",
    "Looks": "Aussehen",
    "How it looks where it wears: goes before the prompt": "Wie es aussieht, wo es altert; kommt vor den Prompt",
    # buttons of the panel
    "Cancel": "Abbrechen",
    "Cancel All ({})": "Alle abbrechen ({})",
    "Cancel the running job, a list, or all of them": "Den laufenden Auftrag beenden, eine Liste oder alle",
    "The job's id. Empty: all jobs": "Die Kennung des Auftrags; leer: alle",
    "The job's id": "Die Kennung des Auftrags",
    "Move Job": "Auftrag verschieben",
    "Move a waiting job up or down the queue": "Einen wartenden Auftrag vorziehen oder zurückstellen",
    "Places": "Plätze",
    "How many places down; negative: up": "Wie weit nach hinten; negativ: nach vorn",
    "Apply": "Anwenden",
    "Put the texture into the active material, by the Target setting": "Die Textur ins aktive Material einsetzen, wie "
    "es das Ziel sagt",
    "The result's folder in the history. Empty: the latest texture": "Der Ordner des Ergebnisses im "
    "Verlauf; leer: die zuletzt gemachte Textur",
    "Show Another": "Andere zeigen",
    "Show another texture from the same job": "Eine andere Textur desselben Auftrags zeigen",
    "Give the active object a box-projected UV map; its longest side is one texture wide": ""
    "Dem aktiven Objekt eine UV-Map geben: jede Fläche von ihrer Seite her, die längste Seite eine Textur breit",
    "Open Log": "Protokoll öffnen",
    "Open the log with the details": "Das Protokoll mit den Einzelheiten öffnen",
    "Close": "Schließen",
    "Close this message": "Diese Meldung schließen",
    "Free Memory": "Speicher freigeben",
    "Unload models to free their memory, for example before a large render": "Die geladenen Modelle und "
    "ihren Speicher freigeben, etwa vor einem großen Rendern",
    "Memory is freed as soon as no job is running.": "Der Speicher ist frei, sobald kein Auftrag mehr läuft.",
    "That job has ended.": "Dieser Auftrag ist zu Ende.",
    "Nothing has been logged yet.": "Es gibt noch kein Protokoll.",
    "Describe the texture first.": "Beschreiben Sie zuerst die Textur.",
    "The prompt is empty.": "Der Prompt ist leer.",
    "Describe the texture in a few words.": "Beschreiben Sie die Textur mit ein paar Worten.",
    "No job is running.": "Es wird gerade nichts gemacht.",
    "Nothing is running.": "Es geschieht gerade nichts.",
    "There is no scene.": "Es gibt keine Szene.",
    "There is no other texture.": "Es gibt keine andere Textur.",
    "There is no texture yet.": "Es gibt noch keine Textur.",
    "Generate one.": "Erzeugen Sie eine.",
    "The active object already has a UV map, or doesn't need one.": ""
    "Das aktive Objekt braucht keine UV-Map oder hat eine.",
    "Switch to Object Mode first.": "Gehen Sie zuerst in den Objektmodus.",
    "No model is loaded.": "Es ist kein Modell geladen.",
    "There is no window to open it in.": "Es gibt kein Fenster, in dem es sich öffnen ließe.",
    "The job was cancelled.": "Der Auftrag wurde abgebrochen.",
    "Generate it again with its seed.": "Erzeugen Sie sie mit ihrem Seed noch einmal.",
    "Give the full path.": "Schreiben Sie den ganzen Pfad.",
    # what goes on
    "Starting the engine": "Engine startet",
    "Loading the model": "Modell wird geladen",
    "Reading the prompt": "Prompt wird gelesen",
    "Sampling": "Bild entsteht",
    "Decoding": "Dekodieren",
    "Making it tileable": "Wird kachelbar",
    "Upscaling": "Vergrößern",
    "Making the maps": "Maps entstehen",
    "Saving": "Sichern",
    "Cancelling": "Wird abgebrochen",
    "The line to {host} broke: trying again": "Leitung zu {host} unterbrochen: neuer Versuch",
    "{} waiting": "{} warten",
    "and {} more": "und {} weitere",
    "{} s left": "noch {} s",
    "{} min left": "noch {} min",
    "{} h left": "noch {} h",
    "{number} of {count}: {phase}": "{number} von {count}: {phase}",
    "{line} ({count} waiting)": "{line} ({count} warten)",
    "Waiting for the render to finish": "Wartet auf das Ende des Renderns",
    "Waiting for the bake to finish": "Wartet auf das Ende des Backens",
    "Waiting for {name} to finish": "Wartet auf das Ende von {name}",
    "The job ended early. Press Apply to use this texture.": "Der Auftrag endete vorzeitig; Anwenden "
    "setzt diese Textur ins Material ein.",
    "Not in a material yet. Press Apply to use it.": "Noch in keinem Material; Anwenden setzt sie ein.",
    "Could not be saved into the file: {names}.": "Ließ sich nicht in die Datei sichern: {names}.",
    "The image {name} was added.": "Das Bild {name} wurde hinzugefügt.",
    # settings
    "Prompt": "Prompt",
    "Template": "Vorlage",
    "Words added around the prompt. {prompt} marks its place; without it, the prompt comes first": ""
    "Worte um den Prompt herum; er steht dort, wo {prompt} steht, oder davor",
    "Negative Prompt": "Negativer Prompt",
    "What the texture must not show": "Was die Textur nicht zeigen darf",
    "Width": "Breite",
    "Pixels from left to right, a multiple of 64": "Pixel von links nach rechts, ein Vielfaches von 64",
    "Pixels from bottom to top, a multiple of 64": "Pixel von unten nach oben, ein Vielfaches von 64",
    "Sampling steps: more take longer and can show more detail. 0: the model's default": "Schritte: mehr dauern "
    "länger und zeigen mehr Einzelheiten. 0: so viele, wie dem Modell guttun",
    "Guidance Scale": "Prompttreue",
    "How strictly to follow the prompt. 0: the model's default; 1: off": "Wie streng der Prompt "
    "befolgt wird. 0: wie es dem Modell guttut; 1: gar nicht gewichtet",
    "Seed": "Seed",
    "The same seed and settings make the same texture": "Derselbe Seed macht mit denselben Einstellungen "
    "dieselbe Textur noch einmal",
    "Random Seed": "Zufälliger Seed",
    "Use a new seed for each texture. It is shown below, so you can keep one you like": ""
    "Für jedes Erzeugen einen neuen Seed ziehen; er steht darunter, damit man ihn behalten kann",
    "Count": "Anzahl",
    "How many textures to make, with seeds counting up. The first goes into the material": "Wie viele Texturen, "
    "mit fortlaufenden Seeds. Die erste kommt ins Material",
    "Tiling": "Kacheln",
    "Directions in which the texture repeats without a seam": "Die Richtungen, in denen sich die Textur "
    "nahtlos wiederholt",
    "Both": "Beide",
    "Left to right and bottom to top": "Von links nach rechts und von unten nach oben",
    "Left to right only, as for a frieze": "Nur von links nach rechts, wie bei einem Fries",
    "Bottom to top only, as for a column": "Nur von unten nach oben, wie bei einer Säule",
    "None": "Keine",
    "A plain picture": "Ein gewöhnliches Bild",
    "Upscale": "Vergrößern",
    "Enlarge each texture afterwards, keeping it seamless and its colors unchanged": ""
    "Jede Textur danach vergrößern, nahtlos und in ihren eigenen Farben",
    "Off": "Aus",
    "Keep the size": "So groß, wie sie gemacht wird",
    "Twice as wide and high": "Doppelt so breit und hoch",
    "Four times as wide and high": "Viermal so breit und hoch",
    "Eight times as wide and high": "Achtmal so breit und hoch",
    "Whole Material": "Ganzes Material",
    "Maps": "Maps",
    "Which maps Whole Material makes": "Welche Maps „Ganzes Material“ macht",
    "Height": "Höhe",
    "How high each point is": "Wie weit jeder Punkt über dem tiefsten liegt",
    "Surface direction, OpenGL style": "Die Richtung der Oberfläche, wie in OpenGL",
    "How blurred reflections are": "Wie weit Spiegelungen verteilt sind",
    "Where the surface is metal": "Wo die Oberfläche Metall ist",
    "Where little light gets in": "Wohin wenig Licht kommt",
    "Also make height, normal, roughness, metallic and occlusion maps, and put them into the material": ""
    "Zu jeder Textur Höhe, Normalen, Rauheit, Metall und Verdeckung machen und neben ihrer Farbe ins Material "
    "einsetzen",
    "Scheduler": "Verfahren",
    "Sampling method": "Wie das Bild aus dem Rauschen entsteht",
    "A model name, a checkpoint (.safetensors), or the folder of a model in diffusers format": "Der Name eines "
    "Modells, ein Checkpoint (.safetensors), oder der Ordner eines Modells im Format von diffusers",
    "VAE": "VAE",
    "A VAE instead of the model's own: a .safetensors file or a folder. Empty: the model's own": "Ein VAE statt des "
    "eigenen des Modells: eine Datei (.safetensors) oder ein Ordner. Leer: das eigene",
    "Parts From": "Teile von",
    "For a file with the denoiser alone: a model of the same kind whose text encoders, tokenizers, VAE "
    "and scheduler it takes; its folder or its checkpoint. Empty: one beside the file, or in the list of models": "Für "
    "eine Datei mit dem Denoiser allein: ein Modell derselben Art, dessen Textencoder, Tokenizer, VAE und Scheduler "
    "sie nimmt; sein Ordner oder sein Checkpoint. Leer: eines neben der Datei, oder aus der Liste der Modelle",
    "Choose Model": "Modell wählen",
    "Choose a checkpoint (.safetensors), or the model_index.json of a model in diffusers format": "Einen Checkpoint "
    "(.safetensors) wählen, oder die model_index.json eines Modells im Format von diffusers",
    "No file is chosen.": "Es ist keine Datei gewählt.",
    "It was made with another VAE, {vae}, which is not set.": "Es entstand mit einem anderen VAE, {vae}, das nicht "
    "gesetzt wird.",
    "Where the texture goes": "Wohin die Textur kommt",
    "Base Color": "Grundfarbe",
    "The image that feeds the material's Base Color; a new one if nothing is linked": "Das Bild an der "
    "Grundfarbe des Materials; ein neues, wo nichts verbunden ist",
    "Selected Image Node": "Ausgewählter Bild-Node",
    "The selected Image Texture node of the material": "Der ausgewählte Bildtextur-Node des Materials",
    "New Node": "Neuer Node",
    "A new Image Texture node, linked to nothing": "Ein neuer Bildtextur-Node, mit nichts verbunden",
    # facts
    "Recipe": "Rezept",
    "Everything that made this image, as JSON; also stored in its file": ""
    "Alles, woraus dieses Bild entstand, als JSON; auch in seiner Datei",
    "Seam Score": "Nahtmaß",
    "Up to 1.1, no seam is visible. -1: not measured": "Bis 1,1 ist keine Naht zu sehen; -1: nicht gemessen",
    "Seconds": "Sekunden",
    "How long it took": "Wie lange es dauerte",
    "Result": "Ergebnis",
    "Its folder in the results": "Sein Ordner unter den Ergebnissen",
    "Before": "Davor",
    "The image this one replaced last": "Das Bild, an dessen Stelle dieses zuletzt trat",
    "Kind": "Art",
    "What it holds: base_color, normal, ...": "Was es enthält: base_color, normal, ...",
    "Running": "Läuft",
    "A job is running, or its result is waiting to go into a material": ""
    "Etwas wird gemacht oder wartet auf sein Material",
    "Queued": "Wartend",
    "Waiting jobs": "Aufträge, die warten",
    "Phase": "Phase",
    "Progress": "Fortschritt",
    "Error": "Fehler",
    "Why the last job failed": "Warum der letzte Auftrag misslang",
    "Outcome": "Ausgang",
    "Where the last result went": "Wohin das letzte Ergebnis kam",
    "Folder of the last result": "Ordner des letzten Ergebnisses",
    # presets and recipes
    "Presets": "Vorgaben",
    "Load Preset": "Vorgabe laden",
    "Load these settings. A prompt you already typed stays, and the preset's words go around it": ""
    "Diese Einstellungen laden. Ein Prompt, der schon dasteht, bleibt, und die Worte der Vorgabe kommen um ihn "
    "herum",
    "Add Preset": "Vorgabe anlegen",
    "Save the current settings as a preset, or remove one": "Eine Vorgabe aus den jetzigen Einstellungen anlegen, "
    "oder eine entfernen",
    "{name} is not a Tilewright preset.": "{name} ist keine Vorgabe von Tilewright.",
    "Save it again.": "Sichern Sie sie noch einmal.",
    "The preset has a value for {name} that does not fit.": "Die Vorgabe hat für {name} einen Wert, der nicht passt.",
    "Restore Tilewright Settings": "Tilewright-Einstellungen holen",
    "Bring back the prompt and all settings of this texture, so Generate makes it again": ""
    "Prompt und alles andere wie bei dieser Textur setzen, sodass Erzeugen sie noch einmal macht",
    "Or the name of an image in this file": "Oder der Name eines Bildes in dieser Datei",
    "Or a PNG made by Tilewright": "Oder ein PNG, das Tilewright gemacht hat",
    "Cannot read {path}.": "{path} ist nicht lesbar.",
    "Made with version {version} of the starter ({fingerprint}). Today's makes different pixels.": ""
    "Mit Version {version} des Starters gemacht ({fingerprint}): die heutige gibt andere Pixel.",
    "You don't have its model {model}; the current one stays.": "Sein Modell {model} haben Sie nicht; das "
    "gewählte bleibt.",
    "This picture has no Tilewright recipe.": "Dieses Bild trägt kein Rezept von Tilewright.",
    "Settings restored.": "Die Einstellungen sind geholt.",
    "There is no image to take the settings from.": "Es gibt kein Bild, von dem die Einstellungen kommen könnten.",
    "Variations": "Variationen",
    "Make more textures like this one: near it, or with other seeds": "Weitere Texturen wie diese machen: nahe an ihr "
    "oder mit anderen Seeds",
    "How many": "Wie viele",
    "Generate at Another Size": "In anderer Größe erzeugen",
    "Make the same recipe at another size. Same seed, but the picture will differ": ""
    "Dasselbe Rezept in anderer Größe erzeugen. Der Seed ist derselbe, das Bild mit dem ersten verwandt",
    # the history
    "History": "Verlauf",
    "Search": "Suchen",
    "Words of the prompt, the model, the size or the seed": "Worte aus dem Prompt; auch Modell, Größe oder Seed",
    "Show": "Zeigen",
    "Which textures to show": "Welche Texturen gezeigt werden",
    "All": "Alle",
    "All textures": "Alle Texturen",
    "Favorites": "Favoriten",
    "Favorites only": "Nur Favoriten",
    "In No File": "In keiner Datei",
    "Textures not used by any saved file": "Texturen, die keine gesicherte Datei hat",
    "1 earlier texture is not in any saved file.": "1 frühere Textur ist in keiner gesicherten Datei.",
    "{count} earlier textures are not in any saved file.": "{count} frühere Texturen sind in keiner gesicherten Datei.",
    "Reading the results…": "Ergebnisse werden gelesen…",
    "Nothing found": "Nichts gefunden",
    "No textures yet": "Noch keine Texturen",
    "Made from another picture": "Aus einem anderen Bild gemacht",
    "{size}, seed {seed}": "{size}, Seed {seed}",
    "{page} of {pages}": "{page} von {pages}",
    "More": "Mehr",
    "Compare": "Vergleichen",
    "The result's folder in the history. Empty: the one shown": "Der Ordner des Ergebnisses im "
    "Verlauf; leer: die gezeigte Textur",
    "There is no texture to compare with.": "Es gibt keine Textur zum Vergleichen.",
    "The result's folder in the history": "Der Ordner des Ergebnisses im Verlauf",
    "Refresh": "Neu einlesen",
    "Read the results folder again": "Den Ordner der Ergebnisse noch einmal ansehen",
    "Select": "Auswählen",
    "Turn Page": "Blättern",
    "Show other results": "Zu anderen Ergebnissen blättern",
    "Favorite": "Favorit",
    "Mark as a favorite, which Clean Up never removes, or unmark": "Als Favorit merken, den kein Aufräumen je "
    "entfernt, oder nicht mehr",
    "Delete": "Löschen",
    "Delete “{title}”?": "„{title}“ löschen?",
    "This removes it from disk and cannot be undone.": "Sie wird vom Laufwerk entfernt; Rückgängig holt "
    "sie nicht zurück.",
    "Delete this texture from disk. Refused while the open file still needs it": "Diese Textur vom "
    "Laufwerk löschen. Wo die offene Datei sie noch braucht, wird das abgelehnt",
    "It will be deleted when you open another file; until then, undo may need it.": "Sie wird gelöscht, wenn eine "
    "andere Datei geöffnet wird; bis dahin könnte Rückgängig sie brauchen.",
    "Texture deleted.": "Die Textur ist gelöscht.",
    "The open file uses this texture, as the image {name}.": "Die offene Datei zeigt diese Textur, als Bild {name}.",
    "Save the file, so it has its own copy, or remove the image.": "Sichern Sie die Datei, die dann eine "
    "eigene Kopie hat, oder entfernen Sie das Bild.",
    "The history has no result {name}.": "Im Verlauf gibt es kein Ergebnis {name}.",
    "Open in Image Editor": "Im Bildeditor öffnen",
    "Show the picture in an open Image Editor, or in a new window": "Das ganze Bild in einem "
    "Bildeditor zeigen: einem offenen, oder einem neuen Fenster",
    "Show File": "Datei zeigen",
    "Open the folder with the texture's files": "Den Ordner mit den Dateien der Textur öffnen",
    "Show textures of earlier sessions that no saved file uses": "Die Texturen früherer Sitzungen zeigen, die "
    "keine gesicherte Datei hat",
    "Clean Up": "Aufräumen",
    "Delete the oldest results until they fit the size limit in the preferences. Nothing in use is deleted": ""
    "Die Ergebnisse unter die Größe bringen, die in den Einstellungen steht, soweit nichts verloren geht, was "
    "gebraucht wird",
    "There is no size limit.": "Es ist keine Größe vorgegeben.",
    "Kept: what is in use, favorites, and anything less than a day old.": ""
    "Was gebraucht wird, Favorit oder jünger als ein Tag ist, bleibt.",
    "Try On": "Anprobieren",
    "See textures of the history on the object. Arrow keys or wheel: next, Enter: keep, Escape: put back": ""
    "Die Texturen des Verlaufs am Objekt sehen: Pfeiltasten oder Mausrad gehen weiter, Eingabe behält, Escape "
    "stellt wieder her",
    "The result to start with: its folder in the history": "Das Ergebnis, mit dem es anfängt, als sein Ordner "
    "im Verlauf",
    "{number} of {count}: {title}   Arrow keys or wheel: next, Enter: keep, Escape: put back": ""
    "{number} von {count}: {title}   Pfeiltasten oder Mausrad: andere, Eingabe: behalten, Escape: wiederherstellen",
    "There is no texture to try on.": "Es gibt keine Textur zum Anprobieren.",
    # a whole material
    "Tile Size": "Kachelgröße",
    "Relief": "Relief",
    "Height from lowest to highest point, as a fraction of the tile size": "Vom tiefsten zum "
    "höchsten Punkt der Höhenkarte, als Teil der Kachelgröße",
    "Fit to Object": "An Objekt anpassen",
    "Scale the texture on the object to its tile size, from the UV map's texel density, and suggest a resolution": ""
    "Die Texeldichte des Objekts lesen, die Textur auf ihre Kachelgröße skalieren und eine Auflösung für die "
    "nächste vorschlagen",
    "Texels per Meter": "Texel pro Meter",
    "Resolution on the object, in pixels per meter": "Wie fein die Textur am Objekt sein soll, "
    "in Pixeln auf einen Meter",
    "Set Resolution": "Auflösung setzen",
    "Set the size of the next texture to what that takes": "Das nächste Erzeugen so viele Pixel machen "
    "lassen, wie das braucht",
    "Multiply Occlusion": "Verdeckung einrechnen",
    "Multiply ambient occlusion into the color, or take it out again": "Die Umgebungsverdeckung in die Farbe "
    "einrechnen, oder wieder herausnehmen",
    "Lay Without Repeat": "Ohne Wiederholung legen",
    "Hide that the texture repeats: draw it in shifted, blended pieces. Press again for the plain tile": "Verbergen, "
    "dass die Textur sich wiederholt: sie in verschobenen, überblendeten Stücken zeichnen. Nochmals drücken für die "
    "einfache Kachel",
    "Without Repeat": "Ohne Wiederholung",
    "How little of the plain, repeating tile is left": "Wie wenig von der einfachen Kachel übrig bleibt, die sich "
    "wiederholt",
    "Patch Size": "Stückgröße",
    "Size of the pieces, in tiles. Larger ones keep larger shapes whole, but show more repeats": "Größe der Stücke, "
    "in Kacheln. Größere lassen größere Formen ganz, zeigen aber mehr Wiederholung",
    "Columns": "Spalten",
    "How many bricks, planks or slabs a tile has from left to right, to move by whole ones. 0: freely": "Wie viele "
    "Ziegel, Dielen oder Platten eine Kachel von links nach rechts hat, um sie nur um ganze zu verschieben. 0: frei",
    "Rows": "Reihen",
    "How many rows of bricks, planks or slabs a tile has, to move by whole ones. 0: freely": "Wie viele Reihen "
    "Ziegel, Dielen oder Platten eine Kachel hat, um sie nur um ganze zu verschieben. 0: frei",
    "The node {node} does not lie flat. Set its projection to Flat.": "Der Node {node} liegt nicht flach. Setze seine "
    "Projektion auf Flach.",
    "The node {node} does not repeat. Set its extension to Repeat.": "Der Node {node} wiederholt nicht. Setze seine "
    "Erweiterung auf Wiederholen.",
    "{name} is no single image.": "{name} ist kein einzelnes Bild.",
    "{name} does not repeat both ways.": "{name} wiederholt sich nicht in beiden Richtungen.",
    "The alpha of the node {node} is used, which cannot be laid so.": "Das Alpha des Nodes {node} wird verwendet; das "
    "lässt sich nicht so legen.",
    "The textures of {name} are of one color.": "Die Texturen von {name} sind einfarbig.",
    "glTF files get one tile of the set, which repeats. For OBJ and FBX files, turn this off first.": "glTF-Dateien "
    "bekommen eine Kachel des Satzes, die sich wiederholt. Für OBJ- und FBX-Dateien schalten Sie dies vorher aus.",
    "glTF and USD files get the plain tile. For OBJ and FBX files, turn this off first.": "glTF- und USD-Dateien "
    "bekommen die einfache Kachel. Für OBJ- und FBX-Dateien schalten Sie dies vorher aus.",
    "Update Nodes": "Nodes anpassen",
    "Relink the relief for the material's current displacement method, render engine and coordinates": ""
    "Das Relief so tragen, wie Verschiebung, Render-Engine und Texturkoordinaten es jetzt verlangen",
    "Mark as Asset": "Als Asset merken",
    "Update Asset": "Asset erneuern",
    "Mark the material as an asset with a preview, and its recipe as description": "Das Material als Asset "
    "merken, mit Vorschau und seinem Rezept als Beschreibung",
    "Author": "Urheber",
    "Empty: the one in the preferences": "Leer: der in den Einstellungen",
    "Catalog": "Katalog",
    "Where the asset browser lists it. Use slashes for nested catalogs": "Wo Asset-Browser es führen; Schrägstriche "
    "machen einen Katalog in einem anderen",
    # targets
    "Choose another material.": "Wählen Sie ein anderes Material.",
    "Choose the target Base Color, which makes one.": "Wählen Sie das Ziel Grundfarbe: dann wird eines gemacht.",
    "Make it local, or choose another material.": "Machen Sie es lokal, oder wählen Sie ein anderes Material.",
    "Make it local, or choose another object.": "Machen Sie es lokal, oder wählen Sie ein anderes Objekt.",
    "No Image Texture node is selected in {name}.": "In {name} ist kein Bildtextur-Node ausgewählt.",
    "No object is active.": "Es ist kein Objekt aktiv.",
    "No material is active.": "Es ist kein Material aktiv.",
    "Select one that can, such as a mesh.": "Wählen Sie ein Objekt, das es kann, etwa ein Mesh.",
    "Select one in the Shader Editor.": "Wählen Sie einen im Shader-Editor aus.",
    "Select the object to texture.": "Wählen Sie das Objekt aus, das die Textur bekommt.",
    "The material {name} cannot be edited.": "Das Material {name} lässt sich nicht bearbeiten.",
    "The material {name} is a library override of one in {place}; its nodes cannot be changed.": ""
    "Das Material {name} ist eine Bibliotheksüberschreibung von einem in {place}, dessen Nodes sich nicht ändern "
    "lassen.",
    "The material {name} is gone.": "Das Material {name} gibt es nicht mehr.",
    "The material {name} is linked from {place}.": "Das Material {name} ist aus {place} verknüpft.",
    "The object {name} is gone.": "Das Objekt {name} gibt es nicht mehr.",
    "{name} cannot have a material.": "{name} kann kein Material haben.",
    "{name} did not accept a material.": "{name} hat kein Material angenommen.",
    "{name} has no material, and {owner} cannot be edited.": "{name} hat kein Material, und {owner} lässt sich "
    "nicht bearbeiten.",
    "{name} has no material, and {owner} is linked from {place}.": "{name} hat kein Material, und {owner} ist aus "
    "{place} verknüpft.",
    "{name} has no material.": "{name} hat kein Material.",
    "{name} is a Grease Pencil material, which has no nodes.": "{name} ist ein Grease-Pencil-Material, das keine "
    "Nodes hat.",
    "{name} is linked from another file.": "{name} ist aus einer anderen Datei verknüpft.",
    "In {material}, node {node}.": "In {material}, Node {node}.",
    "With {maps}.": "Mit {maps}.",
    "Ambient Occlusion": "Ambient Occlusion",
    "Metallic": "Metall",
    "Roughness": "Rauheit",
    "Normal": "Normalen",
    "The image {name} is kept anyway.": "Das Bild {name} bleibt auch so.",
    "{name} has no UV map to show it with.": "{name} hat keine UV-Map, um sie zu zeigen.",
    "Cannot read the texture {path}.": "Die Textur {path} ist nicht lesbar.",
    "There is no image {name}.": "Es gibt kein Bild {name}.",
    "Base Color of {name} is not fed by one image alone. The texture is in a new node beside it.": ""
    "Die Grundfarbe von {name} kommt nicht von einem Bild allein; die Textur ist in einem neuen Node daneben.",
    "The node {name} is gone. The texture is in a new one.": "Den Node {name} gibt es nicht mehr; die Textur ist "
    "in einem neuen.",
    "{name} has no Principled BSDF at its output. The texture is in a new node, not linked.": ""
    "{name} hat keinen Principled BSDF am Ausgang; die Textur ist in einem neuen Node, mit nichts verbunden.",
    "{name} is now an asset.": "{name} ist ein Asset.",
    "Add one first.": "Setzen Sie zuerst eine ein.",
    "Give it one first.": "Geben Sie ihm zuerst eine.",
    "The texture of {name} is not placed by a Mapping node of the UV map.": ""
    "Die Textur von {name} wird nicht durch ein Mapping der UV-Map gezeigt.",
    "{name} has no texture at its Base Color.": "{name} hat keine Textur an seiner Grundfarbe.",
    "{node} in {material} maps normals, not points.": "{node} in {material} bildet Normalen ab, keine Punkte.",
    "The scale of {node} in {material} comes from another node.": "Die Skalierung von {node} in {material} kommt von "
    "einem anderen Node.",
    "No face of {name} with {material} has an area, on the object and in the UV map.": "Keine Fläche von {name} mit "
    "{material} hat einen Flächeninhalt, am Objekt und in seiner UV-Map.",
    "{name} has no UV map {map}.": "{name} hat keine UV-Map {map}.",
    "{name} is not a mesh, so it has no texel density.": "{name} ist kein Mesh; seine Texeldichte lässt sich "
    "nicht ablesen.",
    "{name} shows no texture from Tilewright.": "{name} zeigt keine Textur von Tilewright.",
    "Save the file, then mark it again for the catalog {catalog}.": "Markieren Sie es für den Katalog {catalog} "
    "noch einmal, wenn die Datei gespeichert ist.",
    "The catalog {catalog} was not added: cannot read {file}.": "Der Katalog {catalog} wurde nicht angelegt: "
    "{file} kann nicht gelesen werden.",
    "The catalog {catalog} was not added: {place}: {reason}.": "Der Katalog {catalog} wurde nicht angelegt: "
    "{place}: {reason}.",
    "The engine made no texture in {seconds:.0f} s.": "Die Engine hat in {seconds:.0f} s keine Textur gemacht.",
    "The ~ in {path} names no user.": "Das ~ in {path} ist niemandes Ordner.",
    "The scheduler {scheduler} doesn't fit the model {model}.": "Der Scheduler {scheduler} passt nicht zum Modell "
    "{model}.",
    "Choose one of: {names}.": "Wählen Sie einen von: {names}.",
    "Press Install in Tilewright's panel.": "Drücken Sie in Tilewrights Bereich auf Installieren.",
    "Press Repair in Tilewright's panel.": "Drücken Sie in Tilewrights Bereich auf Reparieren.",
    "Link Texture Coordinate's UV to a Mapping node, and that to the image.": "Verbinden Sie Texturkoordinate, UV, mit "
    "einem Mapping, und das mit dem Bild.",
    "Unwrap it again, or assign the material to its faces.": "Wickeln Sie es neu ab, oder weisen Sie das Material "
    "seinen Flächen zu.",
    "Choose a higher Upscale to get closer to {density:g}.": ""
    "Stellen Sie Vergrößern höher, um näher an {density:g} heranzukommen.",
    "One tile is {size:g} m on {name}: scale {x:.3g} by {y:.3g}, {pixels} pixels at {density:g} per meter.": ""
    "Eine Kachel ist {size:g} m auf {name}: Skalierung {x:.3g} mal {y:.3g}, {pixels} Pixel für {density:g} pro "
    "Meter.",
    "{name} has no ambient occlusion map from Tilewright.": "{name} hat keine Umgebungsverdeckung von Tilewright.",
    "The nodes of {name} already fit its displacement method and coordinates.": ""
    "Die Nodes von {name} passen zu seiner Verschiebung und seinen Koordinaten.",
    "Export Maps": "Maps exportieren",
    "Write the material's textures as files, named and packed the way a game engine imports them": ""
    "Die Texturen des Materials nebeneinander ablegen, benannt und gepackt, wie eine Game-Engine sie einliest",
    "Start of the file names. Empty: the material's name": "Womit die Dateinamen beginnen; leer: wie das Material",
    "For": "Für",
    "How files are named, and which maps share one": "Wie die Dateien heißen, und welche Maps sich eine teilen",
    "Plain": "Schlicht",
    "One file for each map": "Eine Datei für jede Map",
    "Occlusion, roughness and metallic in one file, as in glTF": ""
    "Verdeckung, Rauheit und Metall in einer Datei, wie in glTF",
    "Metallic, with smoothness in its alpha": "Metall, mit der Glätte im Alpha",
    "ORM, and a normal map for DirectX": "ORM, und eine Normal Map für DirectX",
    "ORM, for an ORMMaterial3D": "ORM, für ein ORMMaterial3D",
    "Which way green points": "Wohin Grün zeigt",
    "As that program expects": "Wie das Programm es verlangt",
    "Green is up": "Grün zeigt nach oben",
    "Green is down": "Grün zeigt nach unten",
    "How the files are written": "Wie die Dateien geschrieben werden",
    "As many bits as the maps have": "So viele Bits, wie die Maps haben",
    "PNG, 8 Bits": "PNG, 8 Bit",
    "256 levels": "256 Stufen",
    "PNG, 16 Bits": "PNG, 16 Bit",
    "65536 levels": "65536 Stufen",
    "32-bit floats, linear color": "32-Bit-Fließkomma, die Farbe linear",
    "Overwrite": "Überschreiben",
    "Replace existing files": "Dateien mit diesen Namen ersetzen",
    "No folder is chosen.": "Es wurde kein Ordner gewählt.",
    "Choose one.": "Bitte einen wählen.",
    "{path} already exists.": "{path} gibt es schon.",
    "Turn on Overwrite, or choose another name or folder.": ""
    "„Überschreiben“ einschalten, oder einen anderen Namen oder Ordner wählen.",
    "In {folder}: {names}.": "In {folder}: {names}.",
    "There is no map to export.": "Es gibt keine Map zum Exportieren.",
    "Generate a material with maps first.": "Bitte zuerst ein Material mit Maps erzeugen.",
    "Cannot write {path}.": "{path} lässt sich nicht schreiben.",
    "Choose another image.": "Bitte ein anderes Bild wählen.",
    "Find it with File, External Data.": "Unter Datei, Externe Daten lässt sie sich suchen.",
    "Free some space there, or choose another folder.": "Dort Platz schaffen, oder einen anderen Ordner wählen.",
    "DirectX": "DirectX",
    "Format": "Format",
    "Godot": "Godot",
    "Name": "Name",
    "Normal Map": "Normal Map",
    "ORM": "ORM",
    "OpenEXR": "OpenEXR",
    "OpenGL": "OpenGL",
    "PNG": "PNG",
    "Unity": "Unity",
    "Unreal": "Unreal",
    "The node {name} already shows the relief: the node {image} is not linked.": ""
    "Das Relief zeigt der Node {name}: Der Node {image} ist mit nichts verbunden.",
    "The link to Base Color of {name} is muted. Unmute it and press Apply; the texture is in a node beside it.": ""
    "Die Verbindung zur Grundfarbe von {name} ist stumm: einschalten und „Anwenden“ drücken; die Textur liegt daneben.",
    "The link to {input} of {node} is muted. Unmute it and press Apply.": ""
    "Die Verbindung zu {input} von {node} ist stumm: einschalten und „Anwenden“ drücken.",
    "The node {node} is muted. Unmute it and press Apply.": ""
    "Der Node {node} ist stumm: einschalten und „Anwenden“ drücken.",
    "The node {node} is muted. Unmute it to see its map.": ""
    "Der Node {node} ist stumm: einschalten, um seine Map zu sehen.",
    "Its surface is a {node}. Put a Principled BSDF in its place and press Apply.": ""
    "Seine Oberfläche ist {node}: durch einen Principled BSDF ersetzen und „Anwenden“ drücken.",
    "The factor {amount:g} of {node} hides one of its shaders. Change it and press Apply.": ""
    "Der Faktor {amount:g} von {node} verbirgt einen seiner Shader: ändern und „Anwenden“ drücken.",
    "Its Principled BSDF is in the group {name}, which comes from another file. Make it local first.": ""
    "Sein Principled BSDF ist in der Gruppe {name}, die aus einer anderen Datei kommt: zuerst lokal machen.",
    "Its Principled BSDF is in the group {name}, which is used {count} times. Edit it for all, or make a copy for this "
    "material.": ""
    "Sein Principled BSDF ist in der Gruppe {name}, die {count}-mal verwendet wird: für alle bearbeiten, oder eine "
    "Kopie für dieses Material anlegen.",
    "Edit for All {count} Users": "Für alle {count} Benutzer bearbeiten",
    "Make a Copy for This Material": "Kopie für dieses Material anlegen",
    "Apply in Group": "In der Gruppe anwenden",
    "Put the texture into the node group that the material's Principled BSDF is in, though others use the group too": (
        "Die Textur in die Node-Gruppe legen, in der der Principled BSDF ist, auch wenn andere sie benutzen"
    ),
    "Give this material a copy of the group first": "Diesem Material zuerst eine Kopie der Gruppe geben",
    "Give this material its own copy of the group, and put the texture there": (
        "Diesem Material eine eigene Kopie der Gruppe geben und die Textur dort einsetzen"
    ),
    "Put the texture into the group: all that use it show it": (
        "Die Textur in die Gruppe legen: alle, die sie benutzen, zeigen sie"
    ),
    "The Principled BSDF is in no group that others use.": (
        "Der Principled BSDF ist in keiner Gruppe, die andere benutzen."
    ),
    "It has no Material Output for this render engine. Add one and press Apply.": ""
    "Es hat keine Materialausgabe für diese Render-Engine: eine anlegen und „Anwenden“ drücken.",
    "The view layer shows {other} on everything. Clear its Material Override to see it.": ""
    "Die Ansichtsebene zeigt überall {other}: ihre Materialüberschreibung leeren, um es zu sehen.",
    "{object} doesn't have this material. Assign it to see it.": ""
    "{object} hat dieses Material nicht: zuweisen, um es zu sehen.",
    "Geometry Nodes of {object} show {other} instead. Make that one active, or remove Set Material.": ""
    "Geometry Nodes von {object} zeigen stattdessen {other}: dieses aktiv machen, oder „Set Material“ herausnehmen.",
    "No face of {object} has this material. Assign it in Edit Mode to see it.": ""
    "Keine Fläche von {object} hat dieses Material: im Bearbeitungsmodus zuweisen, um es zu sehen.",
    "A node before Base Color of {name} hides the image or inverts its colors. The texture is in a new node beside "
    "it.": ""
    "Vor der Grundfarbe von {name} verbirgt etwas das Bild oder kehrt seine Farben um; "
    "die Textur liegt daneben in einem neuen Node.",
    "The coordinates turn the texture, so Bump or Displacement carries its relief, not a Normal Map.": ""
    "Die Koordinaten drehen die Textur; ihr Relief trägt daher Bump oder Verschiebung statt einer Normal Map.",
    "The coordinates now turn the texture, and its Normal Map doesn't follow. Press Update Nodes.": ""
    "Die Koordinaten drehen die Textur jetzt; ihre Normal Map folgt dem nicht: Nodes anpassen drücken.",
    "Bump carries the relief. Press Update Nodes to let the Normal Map carry it.": ""
    "Bump trägt das Relief: Mit „Nodes anpassen“ trägt es die Normal Map.",
    "There is something between the nodes {image} and {node}; it was left alone.": ""
    "Zwischen den Nodes {image} und {node} steht etwas: Es bleibt, wie es ist.",
    "Nothing is linked to the Base Color of {name}.": "Mit der Grundfarbe von {name} ist nichts verbunden.",
    # pictures
    "Enlarge the image, keeping it seamless and its colors unchanged. Makes a new image": "Das Bild vergrößern, "
    "nahtlos und in seinen eigenen Farben; das Ergebnis ist ein neues Bild",
    "Make Material from Image": "Material aus dem Bild machen",
    "Make height, normal, roughness, metallic and occlusion maps from the image, for the active material": ""
    "Höhe, Normalen, Rauheit, Metall und Verdeckung des Bildes machen, für das aktive Material",
    "Make Tileable": "Kachelbar machen",
    "Make the image repeat without a seam. Makes a new image": "Das Bild nahtlos wiederholbar machen; das "
    "Ergebnis ist ein neues Bild",
    "Tilewright": "Tilewright",
    "Repeats both ways": "Es wiederholt sich nach allen Seiten",
    "Repeats left and right": "Es wiederholt sich nach links und rechts",
    "Repeats up and down": "Es wiederholt sich nach oben und unten",
    "Doesn't repeat": "Es wiederholt sich nicht",
    "From the Image": "Vom Bild",
    "Color, or data if the image's color space is Non-Color": "Farbe, oder Daten, wo der Farbraum des Bildes "
    "Non-Color ist",
    "Data": "Daten",
    "Normals": "Normalen",
    "A normal map: normals keep unit length": "Eine Normal-Map: ihre Normalen behalten ihre Länge",
    "Image": "Bild",
    "Its name. Empty: the one shown": "Sein Name; leer: das gezeigte",
    "Where the picture repeats": "Wo sich das Bild wiederholt",
    "Where the picture should repeat": "Wo sich das Bild wiederholen soll",
    "Scale": "Faktor",
    "How many times larger": "Wievielmal so groß",
    "Twice": "Doppelt",
    "Four times": "Vierfach",
    "Eight times": "Achtfach",
    "Upscaler": "Netz",
    '"starter" or "lanczos", both exactly seamless, or the file of a network (.safetensors), which is measured': (
        '"starter" oder "lanczos", beide genau nahtlos; oder die Datei eines Netzes (.safetensors), das gemessen wird'
    ),
    "Cannot write the pixels of {name} to {folder}.": "Die Pixel von {name} lassen sich nicht nach {folder} schreiben.",
    "Free some space there, or choose another folder in the preferences.": "Schaffen Sie dort Platz, oder wählen Sie "
    "in den Einstellungen einen anderen Ordner.",
    "Not enough memory for the pixels of {name}.": "Der Speicher reichte für die Pixel von {name} nicht aus.",
    "Choose a smaller image, or close other programs.": "Wählen Sie ein kleineres Bild, oder schließen Sie andere "
    "Programme.",
    "Content": "Inhalt",
    "What the image's numbers mean": "Was die Zahlen des Bildes bedeuten",
    "Networks": "Netze",
    "Displacement": "Verschiebung",
    '"starter", "filter", or a folder of 1x networks named after their maps': '"starter", "filter" oder ein Ordner '
    "mit 1x-Netzen, die nach ihren Maps heißen",
    # preferences
    "Own Python": "Eigenes Python",
    "A Python that has the engine's packages, to use instead of what Install makes. The environment variable "
    "TILEWRIGHT_PYTHON overrides both": "Dieses Python mit den Paketen der Engine benutzen, statt "
    "dessen, was Installieren macht. Leer: was Installieren macht. Die Variable TILEWRIGHT_PYTHON geht beiden vor",
    "Compute Device": "Rechengerät",
    "Device": "Gerät",
    "What computes the textures on this machine. Takes effect with the next job": "Was auf diesem Rechner die "
    "Texturen berechnet. Eine Änderung wirkt beim nächsten Auftrag",
    "Automatic": "Automatisch",
    "The fastest one available": "Das schnellste, das da ist",
    "NVIDIA or AMD": "NVIDIA oder AMD",
    "CUDA or ROCm": "CUDA oder ROCm",
    "Intel": "Intel",
    "Intel graphics": "Grafik von Intel",
    "Apple": "Apple",
    "Apple graphics": "Grafik von Apple",
    "Processor": "Prozessor",
    "Slow, but always available": "Langsam, und immer da",
    "Memory": "Speicher",
    "How much of the device's memory to use. What doesn't fit is tried again with less": "Wie viel Speicher des "
    "Geräts benutzt wird. Was nicht hineinpasst, wird sparsamer noch einmal versucht",
    "As much as is free": "So viel, wie frei ist",
    "All on the Device": "Alles auf dem Gerät",
    "Fastest": "Am schnellsten",
    "Parts Take Turns": "Teile abwechselnd",
    "Slower, needs about half": "Langsamer, braucht etwa die Hälfte",
    "Lean": "Sparsam",
    "Slower still": "Noch langsamer",
    "Weights in 8 Bits": "Gewichte in 8 Bit",
    "Half the memory for a larger model's weights, a little slower. Pictures change: about 1 % off": (
        "Halb so viel Speicher für die Gewichte größerer Modelle, etwas langsamer. Bilder ändern sich: etwa 1 % daneben"
    ),
    "Least": "Am sparsamsten",
    "Slowest, for the smallest cards": "Am langsamsten, für die kleinsten Karten",
    "Step Previews": "Zwischenbilder",
    "Show a small, rough picture while it is being made, twice a second": "Das Bild zeigen, "
    "während es entsteht, zweimal in der Sekunde, klein und ohne Einzelheiten",
    "Install Into": "Installieren nach",
    "Folder for the engine's packages, for example on another drive. Empty: Blender's user folder. What is in the "
    "old folder stays until you remove it": "Ordner für die Pakete der Engine, auch auf einem anderen "
    "Laufwerk. Leer: in Blenders Ordner dieses Benutzers. Was im alten Ordner ist, bleibt dort, bis es entfernt "
    "wird",
    "Packages": "Pakete",
    "Which build of torch to install. Each has its own list of versions and hashes": "Welches torch "
    "Installieren nimmt, jedes mit eigener Liste von Versionen und Prüfsummen",
    "Standard": "Standard",
    "What the package index offers: NVIDIA on Linux, Apple on macOS, the processor everywhere": "Was der Paketindex "
    "hat: NVIDIA unter Linux, Apple unter macOS, den Prozessor überall",
    "Small, for machines without a suitable graphics card": "Klein, für Rechner ohne passende Grafikkarte",
    "Folder of Wheels": "Ordner mit Wheels",
    "Install looks for packages here first, so it works without a network. Each is checked against its hash": ""
    "Hier sucht Installieren zuerst nach Paketen, sodass es ohne Netz geht. Jedes wird mit seiner Prüfsumme "
    "verglichen",
    "Package Index": "Paketindex",
    "Address to download packages from. Empty: the one pip and uv use on this machine": ""
    "Adresse, von der Installieren herunterlädt. Leer: die, auf die pip und uv hier eingestellt sind",
    "as set for pip and uv": "wie pip und uv eingestellt sind",
    "Free After": "Freigeben nach",
    "Free for Renders": "Fürs Rendern freigeben",
    "Unload the models when a render starts, so the render gets the graphics card's memory. The next texture loads "
    "them again": "Wenn ein Rendern beginnt, gibt die Engine ihre Modelle frei, damit es "
    "den Speicher der Grafikkarte hat. Die nächste Textur lädt sie wieder",
    "Results": "Ergebnisse",
    "Folder where every texture is kept. Empty: a folder of yours that stays when you uninstall Tilewright": ""
    "Ordner, der jede Textur behält. Leer: einer von Ihren, der bleibt, wenn Tilewright deinstalliert wird",
    "Size Limit (GB)": "Höchstens (GB)",
    "Gigabytes for the results. 0: no limit. The oldest go first, but no favorites, nothing less than a day old, "
    "and nothing that the open file or a saved .blend uses": "Gigabyte für die Ergebnisse; 0: beliebig viele. Die "
    "ältesten gehen zuerst, aber nichts, was jünger als ein Tag ist, kein Favorit, und nichts, was die offene "
    "Datei oder eine gesicherte .blend hat",
    "On Save": "Beim Sichern",
    "How a saved file keeps its textures, so they show on other machines too": "Wie eine gesicherte "
    "Datei ihre Texturen behält, sodass sie sie auch auf einem anderen Rechner zeigt",
    "Pack": "Einpacken",
    "The textures are inside the .blend": "Die Texturen sind in der .blend",
    "Copy Beside": "Daneben kopieren",
    "The textures are in the folder “textures” beside the .blend": "Die Texturen sind im Ordner „textures“ neben "
    "der .blend",
    "Previews First": "Erst Vorschau",
    "Don't change materials by yourself: new textures wait in the history until you apply them": ""
    "Nichts kommt von selbst in ein Material: neue Texturen warten im Verlauf, bis sie angewandt werden",
    "Models": "Modelle",
    "Author of materials that you mark as assets": "Wen Materialien, die als Assets gemerkt sind, als Urheber nennen",
    "{count} textures, {size:.2f} GB": "{count} Texturen, {size:.2f} GB",
    # the engine's packages
    "Engine": "Engine",
    "Install": "Installieren",
    "Repair": "Reparieren",
    "Download and install what the engine needs, or repair it. Continues where it stopped": ""
    "Herunterladen und installieren, was die Engine braucht, oder es reparieren. Geht dort weiter, wo es "
    "unterbrochen wurde",
    "Verify": "Prüfen",
    "Check every file of the engine's packages against its hash. Repair fixes what is damaged": ""
    "Jede Datei der Pakete mit ihrer Prüfsumme vergleichen. Was beschädigt ist, wird genannt, und Reparieren "
    "richtet es",
    "Stop": "Anhalten",
    "Stop. Downloads are kept, and Install continues from there": "Anhalten. Was heruntergeladen ist, "
    "bleibt, und Installieren geht dort weiter",
    "Check Python": "Python prüfen",
    "Run the engine's Python and list what it has or lacks": "Das Python der Engine starten und nennen, was es "
    "hat oder was ihm fehlt",
    "Self Test": "Selbsttest",
    "Show the engine's versions and device, and make a small test texture, which is not kept": ""
    "Die Engine Versionen und Gerät nennen und eine kleine Textur machen lassen, die nicht bleibt",
    "Copy Diagnostics": "Diagnose kopieren",
    "Copy versions, settings and the end of the logs for a bug report, without your name or folders": ""
    "Versionen, Einstellungen und die Enden der Protokolle für einen Bericht kopieren, ohne Ihren Namen und Ihre "
    "Ordner",
    "Copied. Read it before you paste it anywhere.": "Kopiert. Lesen Sie es, bevor Sie es irgendwo einfügen.",
    "Open the installer's log": "Öffnen, was die Installation geschrieben hat",
    "Nothing has been installed yet.": "Es wurde noch nichts installiert.",
    "There is nothing to verify: no packages are installed.": "Es ist nichts installiert, was sich prüfen ließe.",
    "Remove Packages": "Pakete entfernen",
    "Delete these packages from disk": "Diese Pakete vom Laufwerk löschen",
    "The environment's folder": "Der Ordner der Umgebung",
    "Remove Everything": "Alles entfernen",
    "Delete everything Tilewright put on this machine: the engine's packages, logs and its own settings": ""
    "Alles löschen, was Tilewright auf diesen Rechner gebracht hat: die Pakete der Engine, Protokolle und eigene "
    "Einstellungen",
    "Also the Textures": "Auch die Texturen",
    "Also delete the textures. Those in saved files stay there": "Auch die gemachten Texturen "
    "löschen; die in gesicherten Dateien bleiben darin",
    "Allow Online Access...": "Online-Zugriff erlauben...",
    "Other Ways...": "Andere Wege...",
    "Blender isn't allowed online. Allow it, or name a folder of wheels or a Python.": "Blender darf nicht online "
    "gehen. Erlauben Sie es, oder nennen Sie einen Ordner mit Wheels oder ein Python.",
    "Blender isn't allowed online. Turn on Allow Online Access in Preferences > System, or name a Folder of Wheels.": ""
    "Blender darf nicht online gehen. Erlauben Sie es in Einstellungen > System, oder nennen Sie einen Ordner mit "
    "Wheels.",
    "Downloads up to {size}, into {place}.": "Bis zu {size} werden heruntergeladen, nach {place}.",
    "Using your own Python.": "Es wird ein eigenes Python benutzt.",
    "The engine's packages are installed.": "Die Pakete der Engine sind installiert.",
    "We have not tried this list on a machine like yours.": "Diese Liste haben wir auf einem solchen Rechner nicht "
    "erprobt.",
    "The engine's packages are not installed yet.": "Die Pakete der Engine sind noch nicht installiert.",
    "The engine's packages are only half installed: the installation was interrupted, or something is damaged.": ""
    "Die Pakete der Engine sind nur halb installiert: die Installation wurde unterbrochen, oder etwas ist "
    "beschädigt.",
    "The engine's packages belong to another version of Tilewright.": "Die Pakete der Engine sind die einer "
    "anderen Version von Tilewright.",
    "incomplete": "halb gemacht",
    "in use": "in Gebrauch",
    "not used by this Blender": "von diesem Blender nicht gebraucht",
    "The engine's packages are busy with something else.": "Mit den Paketen der Engine geschieht gerade etwas anderes.",
    "Wait until it is done.": "Warten Sie es ab.",
    "Wait for the running jobs, or cancel them.": "Warten Sie, bis die laufenden Aufträge zu Ende "
    "sind, oder brechen Sie sie ab.",
    "Stopped.": "Angehalten.",
    "Open the log.": "Öffnen Sie das Protokoll.",
    "Cancelled. Downloads are kept, and Install continues from there.": "Abgebrochen. Was heruntergeladen "
    "ist, bleibt, und Installieren geht dort weiter.",
    "Waiting for another Blender": "Wartet auf ein anderes Blender",
    "Checking what is there": "Sieht nach, was da ist",
    "Downloading": "Herunterladen",
    "Installing": "Installieren",
    "Checking": "Prüfen",
    "Preparing the first start": "Bereitet den ersten Start vor",
    "{package}, {done:.0f} of {total:.0f} MB": "{package}, {done:.0f} von {total:.0f} MB",
    "{duration} left": "noch {duration}",
    "Not read yet: Generate will read it.": "Noch nicht gelesen: „Erzeugen“ liest es.",
    # schedulers and sigmas
    "Model's Own": "Wie das Modell",
    "The sampling method that the model was made with": "Das Verfahren, für das das Modell gemacht ist",
    "DPM++ 2M": "DPM++ 2M",
    "Good in few steps": "Gut in wenigen Schritten",
    "UniPC": "UniPC",
    "Good in very few steps": "Gut in sehr wenigen Schritten",
    "Euler": "Euler",
    "Plain and robust": "Schlicht und verlässlich",
    "Euler Ancestral": "Euler Ancestral",
    "Adds noise at each step: more variety, never settles": "Gibt bei jedem Schritt Rauschen dazu: mehr Vielfalt, "
    "kommt nie zur Ruhe",
    "DDIM": "DDIM",
    "The classic": "Der Klassiker",
    # control pictures that are baked
    "From Bake": "Aus Bake",
    "Bake the picture from the active object: its relief, its occlusion or its colors, whichever the control shows": ""
    "Das Bild aus dem aktiven Objekt backen: Relief, Verdeckung oder Farben, je nachdem, was die Führung zeigt",
    "Bakes": "Backt",
    "What is baked": "Was gebacken wird",
    "What It Shows": "Was sie zeigt",
    "Height for depth, normals for normals, colors for tile, else ambient occlusion": "Höhe für Tiefe, Normalen für "
    "Normalen, Farben für Tile, sonst Umgebungsverdeckung",
    "The material's colors, without light": "Die Farben des Materials, ohne Licht",
    "Edges can't be baked.": "Kanten lassen sich nicht backen.",
    "Baking...": "Es wird gebacken...",
    "Stop Bake": "Backen anhalten",
    "Stop the bake. The control keeps the picture that it has": "Das Backen anhalten. Die Führung behält ihr Bild",
    "A picture is being baked.": "Es wird schon ein Bild gebacken.",
    "Wait for it, or stop it.": "Warten Sie, oder halten Sie es an.",
    "Blender can't bake it: {reason}.": "Blender kann es nicht backen: {reason}.",
    "Select the object to bake.": "Wählen Sie das Objekt aus, das gebacken werden soll.",
    "{name} has no UV map.": "{name} hat keine UV-Map.",
    "Choose a picture, or another object.": "Wählen Sie ein Bild oder ein anderes Objekt.",
    "Unwrap it first.": "Legen Sie zuerst eine an.",
    "Baking needs Cycles.": "Zum Backen braucht es Cycles.",
    "Turn on the add-on Cycles Render Engine.": "Schalten Sie das Add-on Cycles Render Engine ein.",
    "{name} has no surface to bake.": "{name} hat keine Oberfläche, die sich backen ließe.",
    "{name} has no height: it is no sheet with a relief, and its material has no displacement or bump.": "{name} hat "
    "keine Höhe: es ist keine Fläche mit Relief, und sein Material hat weder Displacement noch Bump.",
    # what presets name
    "Not here: {names}. The preset's choice is kept; choose the file again, or remove it.": "Nicht da: {names}. Was "
    "das Preset nennt, bleibt stehen; wählen Sie die Datei wieder, oder entfernen Sie sie.",
    "Not the same as when the preset was saved: {names}.": "Nicht dasselbe wie beim Speichern des Presets: {names}.",
    "Cannot write {path}: {reason}.": "{path} lässt sich nicht schreiben: {reason}.",
    # what files and models are
    "This is {what}.": "Das ist {what}.",
    "It also needs {parts}.": "Dazu gehört noch: {parts}.",
    "The model is {base}.": "Das Modell ist {base}.",
    "the CLIP image encoder H": "der CLIP-Bildencoder H",
    "the CLIP image encoder bigG": "der CLIP-Bildencoder bigG",
    "also needs {parts}": "braucht noch: {parts}",
    "{name}: {steps} steps": "{name}: {steps} Schritte",
    "a LoRA for {base}": "ein LoRA für {base}",
    "a LoRA; it does not say for which models": "ein LoRA; für welche Modelle, sagt es nicht",
    "a ControlNet": "ein ControlNet",
    "a ControlNet for {base}": "ein ControlNet für {base}",
    "a Union ControlNet for {base}": "ein Union-ControlNet für {base}",
    "an IP-Adapter": "ein IP-Adapter",
    "an IP-Adapter for {base}": "ein IP-Adapter für {base}",
    "an IP-Adapter for faces, which is not read here": "ein IP-Adapter für Gesichter, der hier nicht gelesen wird",
    "an IP-Adapter for faces for {base}, which is not read here": "ein IP-Adapter für Gesichter für {base}, der hier "
    "nicht gelesen wird",
    "an embedding (textual inversion)": "ein Embedding (Textual Inversion)",
    "an embedding (textual inversion) for {base}": "ein Embedding (Textual Inversion) für {base}",
    "a VAE with {latents} channels": "ein VAE mit {latents} Kanälen",
    "a tiny VAE (TAESD's kind)": "ein kleiner VAE (nach Art von TAESD)",
    "a checkpoint of {base}": "ein Checkpoint von {base}",
    "an inpainting checkpoint of {base}": "ein Inpainting-Checkpoint von {base}",
    "a denoiser of {base} alone": "der Denoiser von {base} allein",
    "a CLIP image encoder": "ein CLIP-Bildencoder",
    "an upscaler, or a network for maps": "ein Upscaler oder ein Netz für Maps",
    "no model that is known here": "kein Modell, das hier bekannt ist",
    "Checkpoint of {base}": "Checkpoint von {base}",
    "Inpainting checkpoint of {base}": "Inpainting-Checkpoint von {base}",
    "Instruction-editing checkpoint of {base}": "Checkpoint von {base} zum Bearbeiten nach Anweisung",
    "Upscaling checkpoint of {base}": "Checkpoint von {base} zum Hochskalieren",
    "Depth-guided checkpoint of {base}": "Checkpoint von {base}, der Tiefenbilder liest",
    "Denoiser of {base} alone": "Denoiser von {base} allein",
    "Inpainting denoiser of {base} alone": "Inpainting-Denoiser von {base} allein",
    "taken for v-prediction, which its file does not say": "als v-Prediction genommen, was die Datei nicht sagt",
    # what is picked from the library
    "Pick from Library": "Aus der Bibliothek nehmen",
    "Take this file from the library of models": "Diese Datei aus der Bibliothek der Modelle nehmen",
    "LoRAs and Embeddings": "LoRAs und Embeddings",
    "VAEs": "VAEs",
    "IP-Adapters": "IP-Adapter",
    "Image Encoders": "Bildencoder",
    "A File...": "Eine Datei...",
    "No LoRA or embedding is here yet": "Es ist noch kein LoRA oder Embedding da",
    "No ControlNet is here yet": "Es ist noch kein ControlNet da",
    "No VAE is here yet": "Es ist noch kein VAE da",
    "No IP-Adapter is here yet": "Es ist noch kein IP-Adapter da",
    "No image encoder is here yet": "Es ist noch kein Bildencoder da",
    "added": "hinzugefügt",
    "for {base}": "für {base}",
    "{count} channels, not {wanted}": "{count} Kanäle statt {wanted}",
    "{count} more: choose the file itself": "{count} weitere: wählen Sie die Datei selbst",
    "{name} stands for several files: {places}.": "{name} steht für mehrere Dateien: {places}.",
    "Give the path of one.": "Geben Sie den Pfad einer davon an.",
    "Found by Itself": "Wird gefunden",
    "Image encoder: {place}": "Bildencoder: {place}",
    "Its path": "Ihr Pfad",
    "What it is: lora, embedding, vae ...": "Was sie ist: lora, embedding, vae ...",
    "Of a ControlNet: for which control, from 0": "Bei einem ControlNet: für welche Führung, ab 0",
    # pictures that guide: ControlNet, IP-Adapter
    "Guide Pictures": "Führende Bilder",
    "Structure (ControlNet)": "Struktur (ControlNet)",
    "Style (IP-Adapter)": "Stil (IP-Adapter)",
    "ControlNet": "ControlNet",
    "ControlNets": "ControlNets",
    "IP-Adapter": "IP-Adapter",
    "There are no ControlNets or IP-Adapters for the starter. Choose another model.": "Für das Startmodell gibt es "
    "keine ControlNets und IP-Adapter. Wählen Sie ein anderes Modell.",
    "{model} takes no ControlNet and no IP-Adapter.": "{model} nimmt weder ControlNet noch IP-Adapter.",
    "Choose another model, or turn off what is under Guide Pictures.": "Wählen Sie ein anderes Modell, oder schalten "
    "Sie aus, was unter Führende Bilder steht.",
    "Add Control": "ControlNet hinzufügen",
    "Add a ControlNet: a picture that says where things are in the texture": "Ein ControlNet hinzufügen: ein Bild, das "
    "sagt, was in der Textur wo ist",
    "Remove Control": "ControlNet entfernen",
    "Remove this control. Its picture stays in the file": "Dieses ControlNet entfernen; sein Bild bleibt in der Datei",
    "From Material": "Aus dem Material",
    "Take the picture from the active material: its height, normal or color, whichever the control shows": "Das Bild "
    "aus dem aktiven Material nehmen: Höhe, Normalen oder Farbe, je nachdem, was das ControlNet zeigt",
    "The control reads {name} now.": "Das ControlNet liest jetzt {name}.",
    "There are as many controls as can be used at once.": "Mehr ControlNets gehen nicht auf einmal.",
    "There is no such control.": "Dieses ControlNet gibt es nicht.",
    "There is no active material.": "Es gibt kein aktives Material.",
    "Select an object that has one.": "Wählen Sie ein Objekt, das eines hat.",
    "A material has no map of edges.": "Eine Map der Kanten hat kein Material.",
    "Choose a picture, or another kind.": "Wählen Sie ein Bild oder eine andere Art.",
    "{name} has no image for its {map}.": "{name} hat kein Bild für: {map}.",
    "Make a whole material first, or choose a picture.": "Machen Sie erst ein ganzes Material, oder wählen Sie ein "
    "Bild.",
    "Index": "Index",
    "Which control, from 0": "Welches ControlNet, von 0 an",
    "Use": "Benutzen",
    "Whether it guides the next texture": "Ob es die nächste Textur führt",
    "A ControlNet for this model: its .safetensors file, or its folder (or the config.json in that)": "Ein ControlNet "
    "für dieses Modell: seine .safetensors-Datei oder sein Ordner (oder die config.json darin)",
    "Picture": "Bild",
    "What the ControlNet reads, stretched to the texture's size. It is only read": "Was das ControlNet liest, auf die "
    "Größe der Textur gestreckt. Es wird nur gelesen",
    "Shows": "Zeigt",
    "What the picture shows, and the ControlNet is for": "Was das Bild zeigt und wofür das ControlNet ist",
    "By Name": "Nach Namen",
    "The name says: {kind}.": "Der Name sagt: {kind}.",
    "What the ControlNet's name says": "Was der Name des ControlNet sagt",
    "Depth": "Tiefe",
    "A height or depth map, white is near. Spread from black to white first": "Eine Höhen- oder Tiefenkarte, Weiß ist "
    "nah; zuerst von Schwarz bis Weiß gespreizt",
    "A normal map as Blender has it, OpenGL. Turned into what ControlNets learned": "Eine Normal-Map, wie Blender sie "
    "hat (OpenGL); in das gewandelt, was ControlNets gelernt haben",
    "Edges": "Kanten",
    "White lines on black, as Canny and line art": "Weiße Linien auf Schwarz, wie Canny und Line Art",
    "A color picture: its layout and colors stay, its detail is made anew": "Ein Farbbild: Anordnung und Farben "
    "bleiben, die Einzelheiten werden neu",
    "As It Is": "So wie es ist",
    "Whatever else the ControlNet is made for": "Wofür auch immer das ControlNet gemacht ist",
    "How strictly the structure is followed": "Wie genau die Struktur befolgt wird",
    "Begins": "Beginnt",
    "From which part of the steps on it guides": "Von welchem Teil der Schritte an es führt",
    "Ends": "Endet",
    "Up to which part of the steps it guides. Below 1, the detail is free": "Bis zu welchem Teil der Schritte es "
    "führt. Unter 1 sind die Einzelheiten frei",
    "Make the picture repeat without a seam first. Set by itself when you pick one": "Das Bild vorher nahtlos machen; "
    "stellt sich von selbst ein, wenn man eines wählt",
    "Pictures that guide the structure": "Bilder, die die Struktur führen",
    "The .safetensors file of an IP-Adapter for this model": "Die .safetensors-Datei eines IP-Adapters für dieses "
    "Modell",
    "Image Encoder": "Bild-Encoder",
    "The folder of its image encoder. Empty: the one beside the file": "Der Ordner seines Bild-Encoders. Leer: der "
    "neben der Datei",
    "Style Picture": "Stilbild",
    "The texture takes its style, colors and materials. Its middle square is seen": "Die Textur nimmt seinen Stil, "
    "seine Farben und Stoffe. Gesehen wird sein mittleres Quadrat",
    "Style Strength": "Stärke des Stils",
    "How much of the picture's style comes in": "Wie viel vom Stil des Bildes hineinkommt",
    "A control has no ControlNet.": "Eine Führung hat kein ControlNet.",
    "Choose its file or folder, or turn it off.": "Wählen Sie seine Datei oder seinen Ordner, oder schalten Sie sie "
    "aus.",
    "A control has no picture.": "Ein ControlNet hat kein Bild.",
    "Choose one, or turn it off.": "Wählen Sie eines, oder schalten Sie es aus.",
    "The style picture has no IP-Adapter.": "Das Stilbild hat keinen IP-Adapter.",
    "Choose its file, or remove the picture.": "Wählen Sie seine Datei, oder entfernen Sie das Bild.",
    "Pictures guided it (ControlNet, IP-Adapter). Choose those under Guide Pictures.": "Bilder haben sie geführt "
    "(ControlNet, IP-Adapter). Wählen Sie sie unter Führende Bilder.",
    "What guided it is not here: {names}. Choose it under Guide Pictures.": "Was sie geführt hat, ist nicht da: "
    "{names}. Wählen Sie es unter Führende Bilder.",
    "Its style picture is not here. Choose one under Guide Pictures.": "Ihr Stilbild ist nicht da. Wählen Sie eines "
    "unter Führende Bilder.",
    # kinds of surface
    "What it is made of: tells how rough and deep it can be, and whether it is metal": "Woraus es ist: sagt, wie rau "
    "und tief es sein kann und ob es Metall ist",
    "What the prompt or the picture's name says": "Was der Prompt oder der Name des Bildes sagt",
    "Stone": "Stein",
    "Rock, concrete, plaster, asphalt": "Fels, Beton, Putz, Asphalt",
    "Brick, Paving": "Ziegel, Pflaster",
    "Bricks, paving stones, roof tiles": "Ziegel, Pflastersteine, Dachziegel",
    "Ceramic, Glass": "Keramik, Glas",
    "Tiles, porcelain, glass, polished stone": "Fliesen, Porzellan, Glas, polierter Stein",
    "Wood": "Holz",
    "Planks, parquet, bark": "Bretter, Parkett, Rinde",
    "Metal": "Metall",
    "Bare metal: all of it is metallic, unless the words say rusty": "Blankes Metall: ganz metallisch, außer die Worte "
    "sagen rostig",
    "Paint, Plastic": "Lack, Kunststoff",
    "Paint, also on metal; plastic, rubber, leather": "Lack, auch auf Metall; Kunststoff, Gummi, Leder",
    "Cloth, Paper": "Stoff, Papier",
    "Fabric, carpet, wallpaper": "Gewebe, Teppich, Tapete",
    "Ground, Plants": "Boden, Pflanzen",
    "Soil, sand, gravel, grass, leaves, snow": "Erde, Sand, Kies, Gras, Laub, Schnee",
    "Water, Ice": "Wasser, Eis",
    "Water, ice, slime": "Wasser, Eis, Schleim",
    "As Seen": "Wie gesehen",
    "What the networks make of the picture alone": "Was die Netze allein aus dem Bild machen",
    "The prompt says: {kind}.": "Der Prompt sagt: {kind}.",
    "Read as {kind}.": "Gelesen als {kind}.",
    "De-light": "Ohne Schatten",
    "First remove shading from the colors, as photos have it": "Zuerst Licht und Schatten aus den Farben nehmen, wie "
    "Fotos sie haben",
    "Invert Relief": "Relief umkehren",
    "Make high what the maps would make deep, where the texture looks inside out": "Hoch machen, was in den Maps sonst "
    "tief wäre: für Texturen, deren Relief verkehrt herum ist",
    "Suggested Relief": "Vorgeschlagenes Relief",
    "Set last for a texture": "Zuletzt für eine Textur gesetzt",
    # models
    "Assets": "Assets",
    "Models Folder": "Modellordner",
    "Folder with your models, where downloads go too. Empty: a folder of yours that all Blenders share": "Ordner mit "
    "Ihren Modellen; auch was heruntergeladen wird, kommt dorthin. Leer: ein Ordner von Ihnen, den alle Blender teilen",
    "Hub": "Hub",
    "Address of the hub to download models from, for mirrors. Empty: the variable HF_ENDPOINT, or huggingface.co": ""
    "Adresse des Hubs, von dem Modelle kommen, für Spiegel. Leer: die Variable HF_ENDPOINT, oder huggingface.co",
    "Token": "Token",
    "Your token for models that the hub gives to members only. Kept in Blender's preferences, readable by anyone who "
    "can read that file. Empty: the one that “hf auth login” or HF_TOKEN has set": "Ihr Token für Modelle, die der Hub "
    "nur Mitgliedern gibt. Es steht lesbar in Blenders Einstellungen. Leer: das von „hf auth login“ oder HF_TOKEN",
    "Get More Models": "Mehr Modelle holen",
    "Get More Models...": "Mehr Modelle holen...",
    "not looked at yet": "noch nicht angesehen",
    "in the package": "im Paket",
    "Add Model": "Modell hinzufügen",
    "Add a model from anywhere on your disks: a .safetensors file, or a diffusers folder. Nothing is copied": "Ein "
    "Modell von irgendwo auf Ihren Platten hinzufügen: eine .safetensors, ein diffusers-Ordner. Nichts wird kopiert",
    "Path": "Pfad",
    "The model's file or folder": "Datei oder Ordner des Modells",
    "The model's folder or file": "Ordner oder Datei des Modells",
    "No file or folder is chosen.": "Es ist keine Datei und kein Ordner gewählt.",
    "Look for models again": "Wieder nach Modellen suchen",
    "Looking for models": "Modelle werden gesucht",
    "Check the model's files: a download's against their hashes, others for what their headers say": "Die Dateien des "
    "Modells prüfen: heruntergeladene an ihren Hashes, andere an dem, was ihr Kopf sagt",
    "Check the download and fetch what is damaged or missing again": "Das Heruntergeladene prüfen, und was beschädigt "
    "ist oder fehlt, noch einmal holen",
    "Tilewright did not download this model and doesn't know where it is from.": "Tilewright hat dieses Modell nicht "
    "heruntergeladen und weiß nicht, woher es ist.",
    "Download it again.": "Laden Sie es noch einmal herunter.",
    "Delete a download from the disk. What you added from elsewhere stays there and leaves the list": "Ein "
    "heruntergeladenes Modell von der Platte löschen. Was Sie hinzugefügt haben, bleibt dort und verlässt die Liste",
    "Remove": "Entfernen",
    "Open Folder": "Ordner öffnen",
    "Show the model's folder in the system's file manager": "Den Ordner des Modells im Dateimanager zeigen",
    "Look Up": "Nachsehen",
    "Ask the hub for the model's files, size and licence. Nothing is downloaded yet": "Den Hub nach Dateien, Größe und "
    "Lizenz des Modells fragen. Noch wird nichts heruntergeladen",
    "Repository": "Repository",
    "Another model of the hub: its name there, “owner/model”": "Ein anderes Modell des Hubs: sein Name dort, "
    "„owner/model“",
    "“owner/model”": "„owner/model“",
    "Revision": "Revision",
    "Empty: the newest": "Leer: die neueste",
    "Files": "Dateien",
    "Paths of files, with commas between. Empty: the model": "Pfade, mit Kommas dazwischen. Leer: das Modell",
    "Also the Models": "Auch die Modelle",
    "Also delete the models that were downloaded. What you added stays": "Auch die heruntergeladenen Modelle löschen. "
    "Was Sie hinzugefügt haben, bleibt",
    "The downloaded models are kept.": "Die heruntergeladenen Modelle bleiben.",
    "Download": "Herunterladen",
    "Download {size}": "{size} herunterladen",
    "Download the model that was looked up. Continues where it stopped": "Das Modell herunterladen, das nachgesehen "
    "wurde. Geht dort weiter, wo es aufgehört hat",
    "Look a model up first.": "Sehen Sie erst ein Modell nach.",
    "Stop. What was downloaded is kept, and Download continues from there": "Anhalten. Was heruntergeladen ist, "
    "bleibt, und Herunterladen geht dort weiter",
    "Open Page": "Seite öffnen",
    "Open the model's page on the hub in your browser": "Die Seite des Modells auf dem Hub im Browser öffnen",
    "Open the log of the downloads": "Das Protokoll der Downloads öffnen",
    "Nothing has been downloaded yet.": "Es wurde noch nichts heruntergeladen.",
    "No model is selected in the list.": "In der Liste ist kein Modell gewählt.",
    "Search the hub for models with these words in their names. Empty: those worth having for textures": "Den Hub nach "
    "Modellen mit diesen Worten im Namen fragen. Leer: die, die sich für Texturen lohnen",
    "Searching...": "Suche läuft...",
    "Asking the hub": "Der Hub wird gefragt",
    "Asking the hub...": "Der Hub wird gefragt...",
    "The hub has no such model.": "Der Hub hat kein solches Modell.",
    "The hub wants you to agree to its terms, and a token.": "Der Hub will Ihre Zustimmung zu den Bedingungen, und ein "
    "Token.",
    "{count} files, {size}; {free} free": "{count} Dateien, {size}; {free} frei",
    "{done:.0f} of {total:.0f} MB": "{done:.0f} von {total:.0f} MB",
    "Damaged: {files}": "Beschädigt: {files}",
    "Part of Tilewright.": "Teil von Tilewright.",
    "Downloaded from the hub.": "Vom Hub heruntergeladen.",
    "Found in the models folder.": "Im Modellordner gefunden.",
    "Added by you, and left where it is.": "Von Ihnen hinzugefügt, und geblieben, wo es ist.",
    "The download is not finished.": "Der Download ist nicht fertig.",
    "Continue": "Weiter",
    "unfinished": "nicht fertig",
    "gone": "nicht mehr da",
    "It is no longer there. Remove takes it off the list.": "Es ist nicht mehr da. Entfernen nimmt es von der Liste.",
    "Blender isn't allowed online.": "Blender darf nicht ins Netz.",
    "Turn on Allow Online Access in Preferences > System.": "Erlauben Sie Online-Zugriff in Einstellungen > System.",
    "Something else goes on with the models.": "Mit den Modellen geschieht gerade etwas anderes.",
    "There is no model {path}.": "Es gibt kein Modell {path}.",
    "Look into the list.": "Sehen Sie in die Liste.",
    "Choose another model.": "Wählen Sie ein anderes Modell.",
    "{title} was added.": "{title} wurde hinzugefügt.",
    "{title} was removed.": "{title} wurde entfernt.",
    "Removing {title}": "{title} wird entfernt",
    "Checking {title}": "{title} wird geprüft",
    "{title} is damaged: {what}.": "{title} ist beschädigt: {what}.",
    "Press Repair.": "Drücken Sie Reparieren.",
    "All files of {title} are as they should be.": "Alle Dateien von {title} sind, wie sie sein sollen.",
    "{title} looks whole. Only downloads can be compared with hashes.": "{title} sieht ganz aus. Nur Heruntergeladenes "
    "lässt sich mit Hashes vergleichen.",
    "{name} is here: choose it under Model.": "{name} ist da: wählen Sie es unter Modell.",
    "Cancelled. What was downloaded is kept, and Download continues from there.": "Abgebrochen. Was heruntergeladen "
    "ist, bleibt, und Herunterladen geht dort weiter.",
    "No licence named": "Keine Lizenz genannt",
    "Commercial use: yes": "Kommerzielle Nutzung: ja",
    "Commercial use: no": "Kommerzielle Nutzung: nein",
    "Commercial use: read the licence": "Kommerzielle Nutzung: Lizenz lesen",
    "Runs whole in {memory:g} GB of graphics memory": "Läuft ganz in {memory:g} GB Grafikspeicher",
    "Made for {steps} steps and guidance {guidance:g}": "Gemacht für {steps} Schritte und Prompttreue {guidance:g}",
    "Unverified: we know no revision of it; Look Up pins the newest": "Ungeprüft: wir kennen keine Revision davon; "
    "Nachsehen hält die neueste fest",
    "model": "Modell",
    "model, few steps": "Modell, wenige Schritte",
    "few steps (LoRA)": "wenige Schritte (LoRA)",
    "style from a picture": "Stil aus einem Bild",
    "upscaler": "Hochskalierer",
    "maps": "Maps",
    "maps from color": "Maps aus der Farbe",
    "Small, with many LoRAs and ControlNets. Exactly seamless.": "Klein, mit vielen LoRAs und ControlNets. Genau "
    "nahtlos.",
    "Follows the prompt better, and is made for 1024 pixels. Exactly seamless.": "Folgt dem Prompt besser und ist für "
    "1024 Pixel gemacht. Genau nahtlos.",
    "Trained on 6.8 million patterns that tile.": "Gelernt an 6,8 Millionen kachelnden Mustern.",
    "Trained on CC0 textures. Begin prompts with “pbr”.": "Gelernt an CC0-Texturen. Prompts mit „pbr“ beginnen.",
    "Its U-Net is a pickle, which can run code: Tilewright does not download it.": "Sein U-Net ist ein Pickle, der "
    "Code ausführen kann: Tilewright lädt es nicht herunter.",
    "It brings code of its own, which Tilewright does not run.": "Es bringt eigenen Code mit, den Tilewright nicht "
    "ausführt.",
    "Its files are pickles (.pth) on GitHub: convert one to safetensors, and choose it where it fits.": ""
    "Seine Dateien sind Pickles (.pth) auf GitHub: wandeln Sie eine in safetensors um, und wählen Sie sie, "
    "wo sie passt.",
    "Textures in four to eight steps.": "Texturen in vier bis acht Schritten.",
    "Textures in four steps.": "Texturen in vier Schritten.",
    "Not for commercial use.": "Nicht für kommerzielle Nutzung.",
    "Steers a texture by a picture of depth, normals or tiles.": "Lenkt eine Textur durch ein Bild von Tiefe, Normalen "
    "oder Kacheln.",
    "Depth, normals and tiles in one.": "Tiefe, Normalen und Kacheln in einem.",
    # blending
    "A color attribute of the mesh, as fine as its vertices": "Ein Farbattribut des Netzes, so fein wie seine Punkte",
    "A material cannot be blended with itself.": "Ein Material lässt sich nicht mit sich selbst mischen.",
    "An image on the UV map, to be painted": "Ein Bild auf der UV-Map, zum Malen",
    "Blend": "Mischen",
    "Blend With": "Mischen mit",
    "Blend With...": "Mischen mit...",
    "Blend another material into this one by a mask, with a border that follows the heights of both": "Ein anderes "
    "Material nach einer Maske in dieses mischen, mit einer Grenze, die den Höhen beider folgt",
    "Change it in the Shader Editor.": "Ändern Sie sie im Shader-Editor.",
    "Choose an image as the mask.": "Wählen Sie ein Bild als Maske.",
    "Choose one that has a texture.": "Wählen Sie eins, das eine Textur hat.",
    "Contrast": "Kontrast",
    "How much of the second material a new mask shows, before you paint on it": "Wie viel vom zweiten Material eine "
    "neue Maske zeigt, bevor Sie darauf malen",
    "Image Size": "Bildgröße",
    "Make it local.": "Machen Sie es lokal.",
    "No second material is chosen.": "Es ist kein zweites Material gewählt.",
    "Nothing is blended into {name}.": "In {name} ist nichts gemischt.",
    "Of a new image": "Die eines neuen Bildes",
    "Of the color attribute or image. One that is there is used as it is": "Der des Farbattributs oder Bildes. Eins, "
    "das es gibt, wird genommen, wie es ist",
    "Offset": "Versatz",
    "Only a mesh has vertex colors.": "Nur ein Netz hat Punktfarben.",
    "Or a result: its folder in the history": "Oder ein Ergebnis: sein Ordner im Verlauf",
    "Paint where the second material is: white for it, black for the first one": "Malen, wo das zweite Material ist: "
    "Weiß dafür, Schwarz für das erste",
    "Press Tab to leave it.": "Tab verlässt ihn.",
    "Remove Blend": "Mischung entfernen",
    "Take the second material out again. The mask stays in the file": "Das zweite Material wieder herausnehmen. Die "
    "Maske bleibt in der Datei",
    "The mask is made by other nodes.": "Die Maske kommt aus anderen Knoten.",
    "The mesh {name} cannot be edited.": "Das Netz {name} lässt sich nicht bearbeiten.",
    "Vertex Colors": "Punktfarben",
    "Vertex colors cannot be added in Edit Mode.": "Im Bearbeitungsmodus lassen sich keine Punktfarben anlegen.",
    "What is blended into the active material": "Was in das aktive Material gemischt wird",
    "What says where each material is: black for the first, white for the second": "Was sagt, wo welches Material "
    "ist: Schwarz für das erste, Weiß für das zweite",
    "glTF and USD files get {name} without the blend. For engines, bake it.": "Dateien in glTF und USD bekommen "
    "{name} ohne die Mischung. Für Game-Engines backen Sie es.",
    "{name} has no Principled BSDF at its output.": "{name} hat keinen Principled BSDF an seinem Ausgang.",
    "Lay Sets": "Sätze legen",
    "Lay a set of tiles without repeat when it comes into a material": "Einen Satz Kacheln ohne "
    "Wiederholung legen, wenn er in ein Material kommt",
    "Laid as Set": "Als Satz gelegt",
    "Laid by itself, for a set of tiles": "Von selbst gelegt, für einen Satz Kacheln",
    "A bake is running.": "Es wird gerade gebacken.",
    "Assign to Object": "Dem Objekt zuweisen",
    "Bake": "Backen",
    "Bake...": "Backen...",
    "Bake what the material shows on this object into plain images, for game engines and glTF": "Was das Material auf "
    "diesem Objekt zeigt, in einfache Bilder backen, für Game-Engines und glTF",
    "Baked for what was open before.": "Gebacken für das, was vorher offen war.",
    "Baking {done} of {count}": "{done} von {count} wird gebacken",
    "Cancel the bake, or close what is told of it": "Das Backen abbrechen, oder schließen, was davon gesagt wird",
    "Cannot bake: the Blender that bakes ended with {code}.": "Backen geht nicht: das Blender, das backt, endete mit "
    "{code}.",
    "Cannot bake: {reason}.": "Backen geht nicht: {reason}.",
    "Give the object the baked material": "Dem Objekt das gebackene Material geben",
    "No face of {name} has the material {material}.": "Keine Fläche von {name} hat das Material {material}.",
    "No mesh with this material is active.": "Kein Netz mit diesem Material ist aktiv.",
    "Pixels of a side": "Pixel einer Seite",
    "Size": "Größe",
    "The Principled BSDF of {name} is not in the material itself.": "Der Principled BSDF von {name} ist nicht im "
    "Material selbst.",
    "The UV map goes beyond the image: what lies there is on top of the rest.": "Die UV-Map geht über das Bild "
    "hinaus: was dort liegt, liegt auf dem Rest.",
    "The bake was cancelled.": "Das Backen wurde abgebrochen.",
    "The material {name} was added.": "Das Material {name} kam dazu.",
    "Ungroup it first.": "Lösen Sie die Gruppe erst auf.",
    "Wait for it, or cancel it.": "Warten Sie, oder brechen Sie ab.",
    "{name} Baked": "{name} gebacken",
    "Border": "Grenze",
    "Choose one of the history.": "Wählen Sie eine aus dem Verlauf.",
    "How much of a tile is made anew between both. The rest keeps its pixels": "Wie viel einer Kachel zwischen beiden "
    "neu gemacht wird. Der Rest behält seine Pixel",
    "Make tiles that lead from this texture to another one, and lay them by a mask that you paint": "Kacheln machen, "
    "die von dieser Textur zu einer anderen führen, und sie nach einer Maske legen, die Sie malen",
    "No second texture is chosen.": "Es ist keine zweite Textur gewählt.",
    "The mask of {name} needs plain UV coordinates: the node's Mapping may only scale them.": "Die Maske von {name} "
    "braucht schlichte UV-Koordinaten: Mapping darf sie nur skalieren.",
    "The other result's folder in the history": "Der Ordner des anderen Ergebnisses im Verlauf",
    "The other texture. Those whose tiles have the same size are offered": "Die andere Textur. Angeboten werden die, "
    "deren Kacheln gleich groß sind",
    "To {name}": "Zu {name}",
    "Columns: {columns}, rows: {rows}": "Spalten: {columns}, Reihen: {rows}",
    "Or Material": "Oder Material",
    "Another material: the texture that it shows, at one Tile Size with the active material's": "Ein anderes Material: "
    "die Textur, die es zeigt, mit derselben Kachelgröße wie beim aktiven Material",
    "{name} shows no texture of the history.": "{name} zeigt keine Textur aus dem Verlauf.",
    "Generate one into it.": "Erzeugen Sie eine hinein.",
    "No other texture has tiles of this size": "Keine andere Textur hat Kacheln dieser Größe",
    "To": "Nach",
    "Transition": "Übergang",
    "Transition...": "Übergang...",
    "One Tile Anew": "Eine Kachel neu",
    "One Tile Anew...": "Eine Kachel neu...",
    "Make one tile of this set anew. It fits where it did, and all others stay as they are": "Eine Kachel dieses "
    "Satzes neu machen. Sie passt, wo sie passte, und alle anderen bleiben, wie sie sind",
    "Column": "Spalte",
    "Row": "Zeile",
    "Counted from the top left": "Von links oben gezählt",
    # another machine
    "Name the other machine first, as ssh knows it.": "Nennen Sie zuerst den anderen Rechner, wie ssh ihn kennt.",
    "Connect by ssh and list what is there and what is missing. Nothing is changed there": ""
    "Über ssh verbinden und auflisten, was dort ist und was fehlt. Dort wird nichts geändert",
    "Check": "Prüfen",
    "Copy the command that installs or updates Tilewright there. Run it in a terminal of this computer": "Den Befehl "
    "kopieren, der Tilewright dort installiert oder erneuert. In einem Terminal dieses Rechners ausführen",
    "Copy Command": "Befehl kopieren",
    "Copied. Run it in a terminal.": "Kopiert. In einem Terminal ausführen.",
    "Another Machine": "Ein anderer Rechner",
    "This Computer Alone": "Nur dieser Rechner",
    "This Computer": "Dieser Rechner",
    "Textures are made on this computer": "Texturen werden auf diesem Rechner gemacht",
    "Textures are made on that machine, reached by ssh": "Texturen werden auf jenem Rechner gemacht, über ssh",
    "Host": "Rechner",
    "A machine that makes the textures in place of this one, as in ~/.ssh/config, or user@name. ssh must get in "
    "without asking": ""
    "Ein Rechner, der die Texturen an Stelle von diesem macht, wie in ~/.ssh/config, oder benutzer@name. ssh muss "
    "ohne Nachfragen hineinkommen",
    "Folder There": "Ordner dort",
    "Where Tilewright is on that machine": "Wo Tilewright auf jenem Rechner liegt",
    "Which machine makes the textures. Takes effect with the next job": ""
    "Welcher Rechner die Texturen macht. Gilt ab dem nächsten Auftrag",
    "Asking {name}": "{name} wird gefragt",
    "Press Copy Command in the preferences, and run it in a terminal: it installs there what is missing.": ""
    "Drücken Sie in den Einstellungen „Befehl kopieren“, und führen Sie ihn in einem Terminal aus: er installiert "
    "dort, was fehlt.",
    "{host} has no model {model}.": "{host} hat kein Modell {model}.",
    "Press Check in the preferences: it lists what is there.": ""
    "Drücken Sie in den Einstellungen „Prüfen“: das listet auf, was dort ist.",
    "Blender isn't allowed online, and {host} is in the network.": "Blender darf nicht online gehen, und {host} ist im "
    "Netz.",
}
