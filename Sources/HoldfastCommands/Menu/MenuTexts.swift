// All that the menu says, once: each text in English, German and Japanese. What is missing in one of them does not compile.

extension MenuWord {
    var text: MenuText {
        switch self {
        case .heading: .init("%1 on %2; stick: %3", "%1 auf %2; Stick: %3", "%1（%2）　スティック: %3")
        case .backup: .init("Backup this machine", "Diese Maschine sichern", "この装置をバックアップする")
        case .restore: .init("Restore", "Wiederherstellen", "復元する")
        case .copyOrVerify: .init("Copy or verify images", "Abbilder kopieren oder prüfen", "イメージをコピーまたは検査する")
        case .points: .init("Restore points", "Wiederherstellungspunkte", "復元ポイント")
        case .wipe: .init("Wipe a disk", "Einen Datenträger löschen", "ディスクを消去する")
        case .keyboard: .init("Keyboard and language", "Tastatur und Sprache", "キーボードと言語")
        case .language: .init("Language", "Sprache", "言語")
        case .network: .init("Network", "Netzwerk", "ネットワーク")
        case .shell: .init("Shell", "Kommandozeile (Shell)", "シェル")
        case .restart: .init("Restart", "Neu starten", "再起動する")
        case .switchOff: .init("Switch off", "Ausschalten", "電源を切る")
        case .end: .init("End", "Ende", "終了")
        case .back: .init("Back; nothing is done", "Zurück; es geschieht nichts", "戻る（何も行いません）")
        case .start: .init("Go on: do it", "Weiter: ausführen", "実行する")
        case .yes: .init("Yes", "Ja", "はい")
        case .no: .init("No", "Nein", "いいえ")
        case .more:
            .init(
                "Enter alone shows more of the %1.", "Enter allein zeigt weitere der %1.",
                "Enter キーだけを押すと続きを表示します（全 %1 件）。")
        case .typeNumber:
            .init(
                "Type one of the numbers, %1 to %2, and Enter.", "Bitte eine der Zahlen %1 bis %2 tippen, dann Enter.",
                "%1 から %2 までの番号を入力し、Enter キーを押してください。")
        case .enterTakes: .init("Enter alone takes: %1", "Enter allein nimmt: %1", "Enter キーだけを押すと次を使います: %1")
        case .enterNone: .init("Enter alone: none.", "Enter allein: keine.", "Enter キーだけを押すと「なし」になります。")
        case .zeroBack:
            .init("0 leads back; nothing is done.", "0 führt zurück; es geschieht nichts.", "0 で戻ります（何も行いません）。")
        case .enterGoesOn: .init("Enter goes on.", "Weiter mit Enter.", "Enter キーで続けます。")
        case .strangeCharacters:
            .init(
                "That has characters that no key types. Type it again.",
                "Darin sind Zeichen, die keine Taste schreibt. Bitte noch einmal tippen.",
                "入力できない文字が含まれています。もう一度入力してください。")
        case .commandsAreEnglish:
            .init(
                "What the commands themselves print is English.", "Was die Befehle selbst ausgeben, ist Englisch.",
                "コマンド自体の出力は英語です。")
        case .otherConsole:
            .init(
                "The other console is at work (%1). Wait, or go there.",
                "Die andere Konsole ist am Werk (%1). Bitte warten, oder dort nachsehen.",
                "別のコンソールで作業中です（%1）。待つか、そちらを確認してください。")
        case .failure: .init("That did not work: %1", "Das ging nicht: %1", "できませんでした: %1")
        case .hint: .init("What helps: %1", "Was hilft: %1", "対処方法: %1")
        case .willRun: .init("This will be run:", "Ausgeführt wird:", "次のコマンドを実行します:")
        case .lastConfirmation:
            .init(
                "Until here nothing was changed. Is it right?",
                "Bis hierher wurde nichts verändert. Ist es richtig so?", "ここまでは何も変更していません。これでよろしいですか。")
        case .statusDone: .init("Done.", "Fertig.", "完了しました。")
        case .statusFailed:
            .init(
                "It failed. Why stands above; nothing of the source was changed.",
                "Es ist gescheitert. Der Grund steht oben; die Quelle ist unverändert.",
                "失敗しました。理由は上に表示されています。元のデータは変更していません。")
        case .statusUsage:
            .init(
                "That cannot be done so. Why stands above.", "So geht es nicht. Der Grund steht oben.",
                "この指定では実行できません。理由は上に表示されています。")
        case .statusFindings:
            .init(
                "Done, but not all of it: what is missing or damaged is listed above.",
                "Fertig, aber nicht ganz: Was fehlt oder beschädigt ist, steht oben.",
                "完了しましたが、問題があります。欠落や破損は上に表示されています。")
        case .statusRefused:
            .init(
                "It was refused. Why, and what helps, stands above.",
                "Es wurde verweigert. Der Grund, und was hilft, steht oben.", "拒否されました。理由と対処方法は上に表示されています。")
        case .statusInterrupted:
            .init(
                "It was interrupted. The same again goes on from there.",
                "Es wurde abgebrochen. Noch einmal dasselbe macht dort weiter.", "中断されました。同じ操作をもう一度行うと、続きから再開します。")
        case .statusCrashed:
            .init(
                "The command was ended by signal %1. The menu goes on.",
                "Der Befehl wurde durch Signal %1 beendet. Das Menü läuft weiter.", "コマンドがシグナル %1 で終了しました。メニューは続きます。")
        case .statusOther: .init("It ended with status %1.", "Es endete mit Status %1.", "ステータス %1 で終了しました。")
        case .stickMissing:
            .init(
                "The stick is not there (%1). Plug it in, and choose again.",
                "Der Stick ist nicht da (%1). Bitte einstecken und noch einmal wählen.",
                "スティックが見つかりません（%1）。挿し込んで、もう一度選んでください。")
        case .stickWasPulled:
            .init(
                "%1 was pulled while it was written the last time. Have it checked first?",
                "%1 wurde zuletzt beim Schreiben abgezogen. Zuerst prüfen lassen?", "%1 は前回、書き込み中に抜かれました。先に検査しますか。")
        case .checkStick:
            .init("Yes, have it checked and mended (%1)", "Ja, prüfen und in Ordnung bringen (%1)", "はい、検査して修復する（%1）")
        case .withoutCheckOfStick: .init("No, write to it as it is", "Nein, so darauf schreiben", "いいえ、そのまま書き込む")
        case .stickMayGo:
            .init(
                "Everything is on the stick; it may be pulled now.",
                "Alles ist auf dem Stick; er darf jetzt abgezogen werden.", "すべてスティックに書き込みました。抜いてもかまいません。")
        case .stickIsFree:
            .init(
                "Not all that was wanted is on the stick. It is not in use.",
                "Nicht alles Gewünschte ist auf dem Stick. Er ist nicht in Gebrauch.",
                "スティックへの書き込みは完了していません。スティックは使用中ではありません。")
        case .otherMedium:
            .init(
                "Another one: type its path, as /dev/sdb", "Ein anderer: Pfad tippen, wie /dev/sdb",
                "その他（/dev/sdb のようにパスを入力）")
        case .thatIsTheStick:
            .init(
                "That is the stick itself. It is left alone.", "Das ist der Stick selbst. Er wird nicht angetastet.",
                "それはスティック自体です。操作しません。")
        case .serialNumber: .init("serial number %1", "Seriennummer %1", "シリアル番号 %1")
        case .otherDisk:
            .init(
                "Another one, or a file that is a disk: type its path",
                "Ein anderer, oder eine Datei, die einer ist: Pfad tippen", "その他（パスを入力。ディスクイメージファイルも可）")
        case .typeDisk:
            .init(
                "The path of the disk, as /dev/sdb, or of the file:",
                "Der Pfad des Datenträgers, etwa /dev/sdb, oder der Datei:", "ディスクのパス（例: /dev/sdb）またはファイルのパス:")
        case .noSuchPath:
            .init(
                "There is no %1. Type it again.", "%1 gibt es nicht. Bitte noch einmal tippen.",
                "%1 はありません。もう一度入力してください。")
        case .looking:
            .init(
                "Looking at it; nothing is written.", "Es wird angesehen; geschrieben wird nichts.",
                "調べています（書き込みはしません）。")
        case .backupWhat: .init("What is to be backed up?", "Was soll gesichert werden?", "何をバックアップしますか。")
        case .wholeDisk:
            .init(
                "A whole disk, with what makes it start", "Ein ganzer Datenträger, mit allem, womit er startet",
                "ディスク全体（起動に必要なものを含む）")
        case .folderOrFile: .init("A folder or a file", "Ein Ordner oder eine Datei", "フォルダーまたはファイル")
        case .whichDisk: .init("Which disk?", "Welcher Datenträger?", "どのディスクですか。")
        case .typeFolder:
            .init("The path of the folder or file:", "Der Pfad des Ordners oder der Datei:", "フォルダーまたはファイルのパス:")
        case .backupWhere: .init("Where to?", "Wohin?", "どこに保存しますか。")
        case .ontoStick: .init("Onto the stick, as one file", "Auf den Stick, als eine Datei", "スティックに 1 つのファイルとして")
        case .intoFolder:
            .init(
                "Into a folder, as one file: type its path", "In einen Ordner, als eine Datei: Pfad tippen",
                "フォルダーに 1 つのファイルとして（パスを入力）")
        case .typeStore:
            .init(
                "The store (a path, a name, usb:LABEL/…, sftp://…, s3://…):",
                "Der Speicher (Pfad, Name, usb:LABEL/…, sftp://…, s3://…):", "ストア（パス、名前、usb:LABEL/…、sftp://…、s3://…）:")
        case .typeHost:
            .init(
                "What is the machine called that the disk is of?",
                "Wie heißt die Maschine, aus der der Datenträger ist?", "このディスクの装置の名前は何ですか。")
        case .typeName: .init("What is the image to be called?", "Wie soll das Abbild heißen?", "イメージの名前を入力してください。")
        case .unfitName:
            .init(
                "Up to 64 letters, digits and . - _ that Windows takes as a name, please.",
                "Bitte bis zu 64 Buchstaben, Ziffern und . - _, ein Name, den Windows annimmt.",
                "英数字と . - _ で 64 文字まで、Windows で使える名前にしてください。")
        case .noRecipients:
            .init(
                "There is no recipients.txt with public keys: a passphrase will be asked for.",
                "Keine recipients.txt mit öffentlichen Schlüsseln: Ein Kennwort wird erfragt.",
                "公開鍵の recipients.txt がないため、パスフレーズを尋ねます。")
        case .recipientsOf: .init("Who can open it, by %1: %2", "Wer es öffnen kann, laut %1: %2", "開くことができる人（%1）: %2")
        case .badRecipient:
            .init(
                "%1, line %2, is no public key (age1…): %3. Nothing was done.",
                "%1, Zeile %2, ist kein öffentlicher Schlüssel (age1…): %3. Nichts geschah.",
                "%1 の %2 行目は公開鍵（age1…）ではありません: %3。何も行っていません。")
        case .emptyRecipients:
            .init(
                "%1 names nobody. Write public keys (age1…) into it, or remove it.",
                "%1 nennt niemanden. Bitte öffentliche Schlüssel (age1…) eintragen, oder löschen.",
                "%1 に公開鍵がありません。age1… を書き込むか、削除してください。")
        case .labelWanted:
            .init(
                "Put a readable text beside it (host, time, disks, size; no secrets)?",
                "Einen lesbaren Text danebenlegen (Name, Zeit, Datenträger; nichts Geheimes)?",
                "説明のテキスト（名前、時刻、ディスク、サイズ。秘密なし）を添えますか。")
        case .labelWritten: .init("The text beside it: %1", "Der Text daneben: %1", "添えたテキスト: %1")
        case .backupWill:
            .init(
                "%1 will be read, and an image of it made: %2", "%1 wird gelesen, und ein Abbild davon gemacht: %2",
                "%1 を読み取り、イメージを作成します: %2")
        case .nothingElseIsWritten:
            .init(
                "Nothing else is written. It may take hours; Ctrl-C ends it.",
                "Sonst wird nichts geschrieben. Es kann Stunden dauern; Strg-C bricht ab.",
                "それ以外は書き込みません。数時間かかることがあります。Ctrl-C で中止します。")
        case .littleRoom:
            .init(
                "%1 are free there, and %2 are in use: it fits only if it can be compressed.",
                "Dort sind %1 frei, und %2 sind belegt: Es passt nur, wenn es sich packen lässt.",
                "空き容量は %1、使用量は %2 です。圧縮できる場合だけ収まります。")
        case .whereIsImage: .init("Where is the image?", "Wo ist das Abbild?", "イメージはどこにありますか。")
        case .onStick: .init("On the stick", "Auf dem Stick", "スティック")
        case .inFolder: .init("In a folder: type its path", "In einem Ordner: Pfad tippen", "フォルダー（パスを入力）")
        case .inFile: .init("It is one file: type its path", "Es ist eine Datei: Pfad tippen", "1 つのファイル（パスを入力）")
        case .inStore:
            .init(
                "A store: type its path, name or URL", "Ein Speicher (Store): Pfad, Name oder URL tippen",
                "ストア（パス、名前または URL を入力）")
        case .typeFile: .init("The path of the file:", "Der Pfad der Datei:", "ファイルのパス:")
        case .noImages:
            .init(
                "There is neither an image (NAME.hf) nor a store in %1.",
                "In %1 ist weder ein Abbild (NAME.hf) noch ein Speicher.", "%1 にはイメージ（NAME.hf）もストアもありません。")
        case .whichImage:
            .init(
                "Which one? What is said of it is from the text beside it.",
                "Welches? Was dabei steht, ist aus dem Text daneben.", "どれですか。説明は添えられたテキストによるものです。")
        case .storeLine:
            .init("%1  a store, which holds images", "%1  ein Speicher, der Abbilder enthält", "%1  ストア（イメージが入っています）")
        case .withoutLabel: .init("written %1", "geschrieben %1", "書き込み %1")
        case .sameHardware: .init("hardware like this one", "Hardware wie diese", "同じ機種")
        case .whichKey: .init("What opens it?", "Was öffnet es?", "何で開きますか。")
        case .passphraseOrOwnKey:
            .init(
                "A passphrase, which is asked for; or this machine's own key",
                "Ein Kennwort, das erfragt wird; oder der Schlüssel dieser Maschine", "パスフレーズ（後で尋ねます）、またはこの装置の鍵")
        case .keyFile: .init("The key in %1", "Der Schlüssel in %1", "%1 の鍵")
        case .otherKeyFile: .init("A file of keys: type its path", "Eine Schlüsseldatei: Pfad tippen", "鍵のファイル（パスを入力）")
        case .typedKey: .init("A key from paper: type it", "Ein Schlüssel vom Papier: abtippen", "紙に書かれた鍵を入力する")
        case .typeKeyFile: .init("The path of the file of keys:", "Der Pfad der Schlüsseldatei:", "鍵のファイルのパス:")
        case .howToTypeKey:
            .init(
                "Small letters and blanks do not matter. It is neither shown nor kept on a disk.",
                "Kleinbuchstaben und Leerzeichen schaden nicht. Es wird nicht angezeigt.",
                "小文字や空白はかまいません。表示されず、メモリ内だけに置かれます。")
        case .typeKey:
            .init(
                "AGE-SECRET-KEY-1… (Enter alone leads back):", "AGE-SECRET-KEY-1… (Enter allein führt zurück):",
                "AGE-SECRET-KEY-1…（Enter キーだけで戻ります）:")
        case .restoreWhat: .init("%1. What is to be done with it?", "%1. Was soll damit geschehen?", "%1 をどうしますか。")
        case .toDisk:
            .init(
                "Restore it to a disk: everything on that will be gone",
                "Auf einen Datenträger zurückspielen: Alles darauf geht verloren", "ディスクに復元する（ディスクの内容はすべて失われます）")
        case .toFolder: .init("Restore it into a folder", "In einen Ordner zurückspielen", "フォルダーに復元する")
        case .showNeeds:
            .init(
                "Show what it is, and what hardware it wants", "Zeigen, was es ist, und welche Hardware es braucht",
                "内容と必要なハードウェアを表示する")
        case .justCheck: .init("Check it: read all of it", "Prüfen: alles lesen", "検査する（すべて読み取る）")
        case .ontoWhichDisk:
            .init(
                "Onto which disk? Everything on it will be gone.",
                "Auf welchen Datenträger? Alles darauf geht verloren.", "どのディスクに復元しますか。その内容はすべて失われます。")
        case .fits:
            .init(
                "By the text beside it, it fits: it wants %1, and there are %2.",
                "Laut dem Text daneben passt es: Es braucht %1, da sind %2.", "添えられたテキストによると収まります（必要 %1、容量 %2）。")
        case .doesNotFit:
            .init(
                "By the text beside it, it does not fit: it wants %1, and there are %2.",
                "Laut dem Text daneben passt es nicht: Es braucht %1, da sind %2.", "添えられたテキストによると収まりません（必要 %1、容量 %2）。")
        case .restoreDiskWill:
            .init(
                "%1 will be written to %2. Everything on that disk will be gone.",
                "%1 wird auf %2 geschrieben. Alles auf diesem Datenträger geht verloren.",
                "%1 を %2 に書き込みます。そのディスクの内容はすべて失われます。")
        case .restoreFolderWill:
            .init(
                "%1 will be restored to %2. What is there and not in the image stays.",
                "%1 wird nach %2 zurückgespielt. Was dort ist und nicht im Abbild, bleibt.",
                "%1 を %2 に復元します。イメージにないファイルはそのまま残ります。")
        case .serialIsAsked:
            .init(
                "The command asks for the serial number on the label of the disk; there is time.",
                "Der Befehl fragt nach der Seriennummer auf dem Etikett; es ist Zeit dafür.",
                "コマンドがディスクのラベルのシリアル番号を尋ねます。時間は十分あります。")
        case .otherHardware:
            .init(
                "The image is of other hardware: %1; this is %2.",
                "Das Abbild ist von anderer Hardware: %1; hier ist %2.", "イメージは別のハードウェアのものです: %1。ここは %2 です。")
        case .refuseOtherHardware:
            .init(
                "Refuse it where it is of a whole system", "Ein ganzes System dann nicht zurückspielen",
                "システム全体のイメージなら復元しない")
        case .takeOtherHardware: .init("Restore it all the same", "Trotzdem zurückspielen", "それでも復元する")
        case .checkFirst:
            .init(
                "Check the image first, to its last byte?", "Das Abbild zuerst prüfen, bis zum letzten Byte?",
                "先にイメージを最後まで検査しますか。")
        case .checkFirstYes:
            .init(
                "Yes: if it is damaged, nothing is overwritten", "Ja: Ist es beschädigt, wird nichts überschrieben",
                "はい（破損していれば何も上書きしません）")
        case .checkFirstNo: .init("No, it was checked before", "Nein, es ist schon geprüft", "いいえ（すでに検査済みです）")
        case .damagedGoOn:
            .init(
                "The image is damaged. Restore what is left of it?",
                "Das Abbild ist beschädigt. Zurückspielen, was davon noch da ist?", "イメージは破損しています。残っている部分を復元しますか。")
        case .whatToDo: .init("What is to be done?", "Was soll geschehen?", "何をしますか。")
        case .verifyImage:
            .init(
                "Verify: prove that an image can be restored", "Prüfen, ob ein Abbild sich wiederherstellen lässt",
                "検査する（復元できることを確かめる）")
        case .copyImage:
            .init("Copy an image, or a store", "Ein Abbild oder einen Speicher kopieren", "イメージまたはストアをコピーする")
        case .asFile:
            .init(
                "One image, as one file: type its path", "Ein Abbild, als eine Datei: Pfad tippen",
                "1 つのイメージを 1 つのファイルに（パスを入力）")
        case .typeImage:
            .init(
                "Which image: its name, the beginning of its id, or latest:",
                "Welches Abbild: sein Name, der Anfang seiner Nummer (id), oder latest:", "イメージの名前、id の先頭、または latest:")
        case .copyWill:
            .init(
                "%1 will be copied to %2. What is there stays.", "%1 wird nach %2 kopiert. Was dort ist, bleibt.",
                "%1 を %2 にコピーします。すでにあるものは残ります。")
        case .machineNotUp:
            .init(
                "This machine's own system cannot be mounted; why stands above.",
                "Das System der Maschine lässt sich nicht einhängen; der Grund steht oben.",
                "この装置のシステムをマウントできません。理由は上にあります。")
        case .typePassword:
            .init(
                "Password of root on this machine", "Passwort von root auf dieser Maschine", "この装置の root のパスワード")
        case .wrongPassword:
            .init("That is not the password.", "Das ist nicht das Passwort.", "パスワードが違います。")
        case .noPassword:
            .init(
                "root has no password here, so this is open to nobody. A stick can do it.",
                "root hat hier kein Passwort: niemand darf das. Ein Stick kann es.",
                "root にパスワードがないため使用できません。スティックを使ってください。")
        case .pointsNotLive:
            .init(
                "Restore points are on the machine itself: start it, or its recovery entry.",
                "Die Punkte liegen auf der Maschine: sie starten, oder ihren Rettungs-Eintrag.",
                "復元ポイントは装置自体にあります。装置か、その回復用の項目を起動してください。")
        case .pointsStatus:
            .init(
                "Show the points, and what waits for the next start",
                "Die Punkte zeigen, und was auf den nächsten Start wartet", "復元ポイントと、次回起動時の予定を表示する")
        case .pointsRollback:
            .init(
                "Go back to a point: it shows a list", "Zurück zu einem Punkt: Er wird aus einer Liste gewählt",
                "復元ポイントに戻す（一覧から選びます）")
        case .pointsUndo: .init("Take the last way back back", "Das letzte Zurückgehen zurücknehmen", "直前の復元を取り消す")
        case .pointsReset:
            .init("Back to the state in which it was delivered", "Zurück zum Zustand bei der Auslieferung", "出荷時の状態に戻す")
        case .filterStatus: .init("Show the write filter", "Den Schreibfilter zeigen", "書き込みフィルターを表示する")
        case .filterDisable: .init("Switch the write filter off", "Den Schreibfilter abschalten", "書き込みフィルターを無効にする")
        case .pointsLog:
            .init("Show what was done to this machine", "Zeigen, was an dieser Maschine getan wurde", "この装置の作業記録を表示する")
        case .asksOnceMore:
            .init(
                "The command shows what it would do, and asks once more.",
                "Der Befehl zeigt, was er täte, und fragt noch einmal.", "コマンドが内容を表示し、もう一度確認します。")
        case .wipeWhich:
            .init(
                "Which disk is to be wiped? Nothing of it can be read afterwards.",
                "Welcher soll gelöscht werden? Danach ist nichts mehr davon lesbar.", "どのディスクを消去しますか。消去後は何も読み取れません。")
        case .noDevice:
            .init(
                "%1 is no disk: only disks are wiped here.",
                "%1 ist kein Datenträger: Hier werden nur solche gelöscht.", "%1 はディスクではありません。ここではディスクだけを消去します。")
        case .wipeHow: .init("How?", "Wie?", "方法を選んでください。")
        case .wipeClear:
            .init("Clear: overwritten, and read back", "Überschreiben und zurücklesen (clear)", "上書きして読み戻す（clear）")
        case .wipePurge:
            .init(
                "Purge: the drive's firmware erases it, also what no overwrite reaches",
                "Durch die Firmware, auch was Überschreiben nicht erreicht (purge)", "ドライブのファームウェアで完全に消去する（purge）")
        case .wipeWill:
            .init(
                "%1 (%2, serial number %3) will be wiped. It cannot be undone.",
                "%1 (%2, Seriennummer %3) wird gelöscht. Das ist endgültig.", "%1（%2、シリアル番号 %3）を消去します。元に戻せません。")
        case .certificateGoes:
            .init(
                "The certificate will be %1, with a signature and a page beside it.",
                "Die Bescheinigung wird %1, mit Unterschrift und Seite daneben.", "証明書は %1 です。署名とページも添えます。")
        case .noCertificate:
            .init(
                "There is no stick: there will be no certificate.",
                "Es ist kein Stick angegeben: Es gibt keine Bescheinigung.", "スティックがないため、証明書は作成しません。")
        case .whichKeyboard:
            .init(
                "Which keyboard? It is that of this machine, not of a serial line.",
                "Welche Tastatur? Gemeint ist die dieser Maschine, nicht die einer Leitung.",
                "どのキーボードですか（この装置のもの。シリアル回線ではありません）。")
        case .keyboardIsSet: .init("The keyboard is %1 now.", "Die Tastatur ist jetzt %1.", "キーボードを %1 にしました。")
        case .shellEnds: .init("exit leads back to the menu.", "exit führt zurück zum Menü.", "exit でメニューに戻ります。")
        case .endWill:
            .init(
                "This system ends. Images and disks are left as they are.",
                "Dieses System endet. Abbilder und Datenträger bleiben, wie sie sind.", "このシステムを終了します。イメージとディスクはそのままです。"
            )
        case .noInterface:
            .init(
                "This machine has no network interface that this system knows.",
                "Diese Maschine hat keine Netzwerkkarte, die dieses System kennt.", "使用できるネットワークインターフェースがありません。")
        case .whichInterface: .init("Which interface?", "Welche Netzwerkkarte?", "どのインターフェースですか。")
        case .networkHow: .init("How does it get its address?", "Woher kommt die Adresse?", "アドレスの設定方法を選んでください。")
        case .networkAutomatic: .init("Automatically (DHCP)", "Von selbst (DHCP)", "自動（DHCP）")
        case .networkByHand: .init("It is typed", "Sie wird getippt", "手動で入力する")
        case .networkWill:
            .init(
                "%1 will be set up, until this system ends.", "%1 wird eingerichtet, bis dieses System endet.",
                "%1 を設定します（このシステムが終了するまで）。")
        case .noNetworkClient:
            .init(
                "There is neither udhcpc nor dhclient here: type the address instead.",
                "Weder udhcpc noch dhclient sind da: Bitte die Adresse tippen.",
                "udhcpc も dhclient もありません。アドレスを手動で入力してください。")
        case .typeAddress:
            .init(
                "The address with its length, as 192.168.0.10/24:",
                "Die Adresse mit ihrer Länge, etwa 192.168.0.10/24:", "アドレスとプレフィックス長（例: 192.168.0.10/24）:")
        case .typeGateway: .init("The gateway:", "Das Gateway:", "ゲートウェイ:")
        case .typeNameServer: .init("The name server:", "Der Namensserver (DNS):", "ネームサーバー:")
        case .noAddress:
            .init(
                "That is no such address. Type it again.", "Das ist keine solche Adresse. Bitte noch einmal tippen.",
                "正しいアドレスではありません。もう一度入力してください。")
        case .nameServerGoes:
            .init("/etc/resolv.conf will name %1.", "/etc/resolv.conf nennt dann %1.", "/etc/resolv.conf に %1 を書き込みます。")
        }
    }
}
