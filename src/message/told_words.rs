//! The words of [`super::told`]: parts of sentences, lower case, by language.

use std::sync::LazyLock;

use super::phrases::Phrases;

pub static SAYS_BOUNCE: LazyLock<Phrases> = LazyLock::new(|| Phrases::new(BOUNCE));
pub static SAYS_UNDELIVERED: LazyLock<Phrases> = LazyLock::new(|| Phrases::new(UNDELIVERED));
pub static SAYS_MAIL: LazyLock<Phrases> = LazyLock::new(|| Phrases::new(MAIL));
pub static SAYS_SELF_MADE: LazyLock<Phrases> = LazyLock::new(|| Phrases::new(SELF_MADE));
pub static SAYS_AWAY: LazyLock<Phrases> = LazyLock::new(|| Phrases::new(AWAY));
pub static SAYS_PARCEL: LazyLock<Phrases> = LazyLock::new(|| Phrases::new(PARCEL));
pub static SAYS_RECEIPT: LazyLock<Phrases> = LazyLock::new(|| Phrases::new(RECEIPT));

/// What mail servers write about a mail that did not arrive, or not yet.
#[rustfmt::skip]
pub const BOUNCE: &[&str] = &[
    // The servers present themselves
    "this is the mail system at", "this is the qmail", "this is the mail delivery agent at",
    "this is the email server at", "this is the deliver program at", "this is the postfix program",
    "this is the machine generated message from mail service", "this is the mail delivery system",
    "this is the courier mail server", "this is a message from the mail system",
    "created automatically by mail delivery software", "created automatically by the mail",
    "this is a delivery failure notification", "this is a delivery status notification",
    "automatically generated delivery status notification", "this is a non-delivery",
    "this report relates to a message you sent", "message from interscan",
    "mail delivery subsystem", "returned mail follows", "generated delivery status",
    "the original message was received at", "diagnostic information for administrators",
    "\"notificationtype\":\"bounce\"", "\"notificationtype\":\"complaint\"",
    "\"eventtype\":\"bounce\"",
    // English
    "a message that you sent could not be delivered", "a message that you have sent could not",
    "message that you sent has not yet been delivered", "a message that you sent was rejected",
    "message that you sent contained", "did not reach the following recipient",
    "delivery to these recipients", "delivery to the following recipient",
    "delivery has failed to these recipients", "could not be delivered to the following recipient",
    "could not be delivered to one or more recipients", "was undeliverable to the following",
    "delivery of your message", "delivery of the following message", "the following addresses had",
    "the following address(es)", "the following address failed", "the following addresses failed",
    "following recipients did not receive", "following addresses did not receive",
    "following recipients could not", "following recipient could not",
    "following recipient(s) could not", "following recipient(s):", "following recipients failed",
    "the following message could not be delivered", "the following destination addresses",
    "unable to deliver message", "unable to deliver mail", "unable to deliver this message",
    "able to deliver the following message", "able to deliver your message",
    "message could not be delivered", "message couldn't be delivered", "message was not delivered",
    "message wasn't delivered", "message has not been delivered", "message cannot be delivered",
    "message can't be delivered", "message was not able to be delivered",
    "messages could not be delivered", "message not delivered", "message undeliverable",
    "mail could not be delivered", "mail cannot be delivered", "mail was not delivered",
    "email could not be delivered", "email cannot be delivered", "email was not delivered",
    "email below could not be delivered", "e-mail could not be delivered",
    "could not deliver message", "your message has encountered delivery problems",
    "your mail message to the following", "your message has been delayed", "message is delayed",
    "list of failed recipients", "failed addresses follow", "failed recipient",
    "undeliverable address", "invalid final delivery userid", "--> error description",
    "error-for:", "no such user here", "recipient(s) could not be reached",
    "recipient could not be reached", "delivered to some recipients", "your mail sent on",
    "your mail attempted to be delivered", "permanent fatal delivery errors",
    "permanent fatal errors", "transient non-fatal errors", "recipient's mailbox is full",
    "recipient mailbox is full", "user's mailbox is full", "recipient address rejected",
    "user unknown", "unknown user", "unrouteable address", "unroutable address", "no such user",
    "address not found", "user not found", "recipient unknown", "unknown recipient",
    "mailbox unavailable", "mailbox not found", "does not exist in the directory",
    "not listed in domino directory", "not listed in public name", "email abuse report",
    "abuse report for an email message", "authentication-failure report", "rejected your message",
    "refused to accept your message", "you have sent a virus", "you sent a virus",
    "message is being returned", "mail is being returned", "message is returned to you",
    "message has been returned", "message was returned", "mail has been returned to",
    "mail was returned to", "mail returned to sender", "email returned to sender",
    // French
    "remise de votre message",
    // Russian, Ukrainian, Bulgarian
    "сообщение не доставлено", "письмо не доставлено",
    // Chinese, Japanese, Korean, Thai, Vietnamese, Indonesian
    "退信",
    // Spam filters
    "spam firewall",
];

/// What is said of mail that did not arrive, and of goods too: it counts where the same clause
/// names mail ([`MAIL`]).
#[rustfmt::skip]
pub const UNDELIVERED: &[&str] = &[
    // The servers present themselves
    "this is a permanent error",
    // English
    "could not be delivered to one or more", "could not be delivered to the following",
    "could not be delivered to:", "was undeliverable to", "undeliverable to the following", "was undeliverable",
    "is undeliverable", "delivery to the following", "delivery has failed to",
    "unable to deliver your", "unable to deliver the following", "unable to deliver to",
    "could not deliver your", "could not deliver the", "couldn't deliver your",
    "can't deliver your", "cannot deliver your", "has been delayed", "not been delivered",
    "intended recipient:", "sorry, unable to deliver", "not delivered to the following",
    "was automatically rejected", "automatically rejected by", "i've given up",
    "i wasn't able to deliver", "we were unable to deliver", "we were not able to deliver",
    "we have been unable to deliver", "we had trouble delivering", "permanent delivery failure",
    "there was a problem delivering", "problem delivering your", "was blocked because",
    "was blocked by our", "has been blocked because", "was rejected by the recipient",
    "delivery attempt",
    // German
    "nicht zugestellt werden", "nicht zugestellt", "nicht zustellbar", "unzustellbar",
    "fehler bei der zustellung", "zustellung fehlgeschlagen", "zustellung an folgende",
    "konnte an folgende", "noch nicht ausgeliefert", "nicht ausgeliefert werden",
    "nicht übermittelt werden",
    // French
    "pas pu être remis", "pas pu être délivré", "pas pu être distribué", "pu être remis",
    "pas été remis", "pas été délivré", "échec de la remise", "échec de remise",
    "impossible de remettre", "pas pu être livré", "n'a pu être délivré", "n’a pas pu être",
    // Spanish, Catalan, Portuguese, Italian, Romanian
    "no se pudo entregar", "no se puede entregar", "no se ha podido entregar",
    "no pudo ser entregado", "no ha podido ser entregado", "no puede ser entregado",
    "no pudo entregarse", "no se ha entregado", "no fue entregado", "error al entregar",
    "no s'ha pogut lliurar", "não pôde ser entregue", "não pode ser entregue",
    "não foi possível entregar", "não foi entregue", "falha na entrega", "nao pode ser entregue",
    "possibile recapitare", "non è stato recapitato", "impossibile recapitare",
    "può essere consegnato", "non è stato consegnato", "mancata consegna", "mancato recapito",
    "possibile consegnare", "nu a putut fi livrat", "nu poate fi livrat", "livrarea a eșuat",
    // Dutch, Danish, Norwegian, Swedish, Finnish, Estonian
    "niet worden bezorgd", "niet bezorgd", "niet worden afgeleverd", "niet afgeleverd",
    "kunne ikke leveres", "kan ikke leveres", "blev ikke leveret", "ble ikke levert",
    "kunde inte levereras", "kan inte levereras", "levererades inte", "ei voitu toimittaa",
    "ei voi toimittaa", "toimitus epäonnistui", "ei toimitettu", "ei õnnestunud",
    // Polish, Czech, Slovak, Slovene, Croatian, Hungarian
    "nie można dostarczyć", "nie mogła zostać dostarczona", "nie mogła być dostarczona",
    "nie została dostarczona", "nie udało się dostarczyć", "nie może zostać dostarczona",
    "nelze doručit", "nebylo možné doručit", "nemohla být doručena", "nebyla doručena",
    "nepodařilo se doručit", "nemožno doručiť", "nebolo možné doručiť", "nebola doručená",
    "nepodarilo sa doručiť", "ni bilo mogoče dostaviti", "ni mogoče dostaviti",
    "nije moguće isporučiti", "nije isporučena", "nem lehetett kézbesíteni", "nem kézbesíthető",
    "nem sikerült kézbesíteni", "kézbesítése nem sikerült",
    // Russian, Ukrainian, Bulgarian
    "не удалось доставить", "не может быть доставлено", "не было доставлено",
    "не могло быть доставлено", "невозможно доставить", "не удается доставить",
    "не удаётся доставить", "не доставлено следующим", "ошибка доставки", "не смогли доставить",
    "не вдалося доставити", "не може бути доставлено", "не було доставлено", "неможливо доставити",
    "не можа да бъде доставено", "не беше доставено", "не може да бъде доставено",
    // Greek, Turkish, Hebrew, Arabic
    "δεν ήταν δυνατή η παράδοση", "δεν είναι δυνατή η παράδοση", "δεν παραδόθηκε",
    "απέτυχε η παράδοση", "teslim edilemedi", "iletilemedi", "teslim edilemiyor", "gönderilemedi",
    "לא ניתן היה למסור", "לא ניתן למסור", "לא נמסרה", "המסירה נכשלה", "تعذر تسليم", "تعذّر تسليم",
    "لم يتم تسليم", "فشل تسليم",
    // Chinese, Japanese, Korean, Thai, Vietnamese, Indonesian
    "无法投递", "未能投递", "投递失败", "无法送达", "被退回", "发送失败", "未送达", "無法傳遞", "無法投遞", "無法送達", "退回", "傳送失敗",
    "配信できません", "配信できなかった", "配送できません", "配達できません", "送信できません", "届けることができません", "お届けできません", "配信に失敗",
    "送信に失敗", "届きませんでした", "배달할 수 없", "전달할 수 없", "전송에 실패", "배달되지 않", "발송 실패", "전송하지 못했", "전달되지 않",
    "배달하지 못했", "ไม่สามารถส่ง", "không thể gửi", "không gửi được", "không thể chuyển",
    "tidak dapat dikirim", "tidak terkirim",
];

/// Words for mail, that goods are not called; parts of words, since they are inflected. Not who
/// gets it: parcels have recipients too.
#[rustfmt::skip]
pub const MAIL: &[&str] = &[
    "message", "mail", "nachricht", "courriel", "mensaje", "su correo", "el correo", "missatge",
    "mensagem", "messaggi", "mesaj", "uw bericht", "het bericht", "dit bericht", "besked",
    "melding", "meddelande", "viesti", "sõnum", "kiri", "wiadomoś", "zpráv", "správ", "sporočil",
    "poruk", "üzenet", "levél", "сообщени", "письм", "повідомлен", "ваш лист", "съобщени", "писмо",
    "μήνυμα", "iletiniz", "e-posta", "הודע", "رسال", "邮件", "郵件", "メール", "メッセージ", "메일",
    "메시지", "ข้อความ", "อีเมล", "thư", "pesan", "surel",
];

/// Where mail is a way, and not what was sent.
#[rustfmt::skip]
pub const BY_MAIL: &[&str] = &[
    "by mail", "by e-mail", "by email", "via mail", "via e-mail", "via email", "per mail",
    "per e-mail", "per email", "par mail", "par e-mail", "par courriel", "por correo",
];

/// What programs say of themselves.
#[rustfmt::skip]
pub const SELF_MADE: &[&str] = &[
    "this is an automatic", "this is an automated", "this is an auto-", "this is an auto ",
    "this is an autoreply", "this is an autoresponse", "this is an autogenerated",
    "this message is automatically", "this message was automatically",
    "this message has been automatically", "this message was generated automatically",
    "this message has been generated automatically", "this message is generated automatically",
    "this email was automatically", "this email is automatically", "this e-mail was automatically",
    "this email has been automatically", "this e-mail has been automatically",
    "this email was generated automatically", "this e-mail was generated automatically",
    "this email was sent automatically", "this notification was automatically",
    "automatically generated message", "automatically generated email",
    "automatically generated e-mail", "automatically generated response",
    "automatically generated reply", "auto-generated message", "auto-generated email",
    "auto-generated e-mail", "auto generated message", "autogenerated message",
    "automated response to", "automated reply to", "automatic reply to your",
    "automatic response to your",
    "a system generated message", "a system generated email", "a system generated e-mail",
    "a system-generated message", "a system-generated email", "a system-generated e-mail",
    "a computer generated message", "a computer generated email", "a computer generated e-mail",
    "do not reply to this", "please do not reply", "please don't reply", "do not respond to this",
    "please do not respond", "replies to this message are not", "replies to this email are not",
    "this mailbox is not monitored", "this email address is not monitored",
    "sent from an unmonitored", "sent from a notification-only", "your message was received by",
    "you must click", "click the link below to confirm that you", "held until you",
    "i will respond to your message when i return", "i am using a program to screen",
    // German
    "dies ist eine automatisch", "das ist eine automatisch", "dies ist ein automatisch",
    "diese e-mail wurde automatisch", "diese mail wurde automatisch",
    "diese nachricht wurde automatisch", "diese email wurde automatisch",
    "automatisch generierte", "automatisch erzeugte", "automatisch erstellte",
    "automatisch versandt", "automatisch erzeugt", "bitte antworten sie nicht auf diese",
    "bitte nicht auf diese", "diese e-mail-adresse wird nicht",
    // French
    "ceci est un message automatique", "ceci est une réponse automatique",
    "cet e-mail est un message automatique", "message généré automatiquement",
    "message est généré automatiquement", "message a été généré automatiquement",
    "envoyé automatiquement", "réponse automatique", "merci de ne pas répondre",
    "ne pas répondre à ce", "veuillez ne pas répondre", "ne répondez pas",
    // Spanish, Catalan, Portuguese, Italian, Romanian
    "este es un mensaje automático", "esta es una respuesta automática",
    "este es un correo automático", "generado automáticamente", "enviado automáticamente",
    "no responda a este", "no responda este", "por favor no responda", "no responder a este",
    "aquest és un missatge automàtic", "esta é uma mensagem automática",
    "esta é uma resposta automática", "mensagem automática", "gerada automaticamente",
    "enviada automaticamente", "por favor, não responda", "não responda a este",
    "favor não responder", "questa è una risposta automatica", "questo è un messaggio automatico",
    "questa è una mail automatica", "generato automaticamente", "generata automaticamente",
    "inviata automaticamente", "non rispondere a quest", "si prega di non rispondere",
    "acesta este un mesaj automat", "vă rugăm să nu răspundeți", "mesaj generat automat",
    // Dutch, Danish, Norwegian, Swedish, Finnish
    "dit is een automatisch", "dit bericht is automatisch", "automatisch gegenereerd",
    "niet te antwoorden op", "niet op deze e-mail", "beantwoord deze e-mail niet",
    "dette er en automatisk", "dette er et automatisk", "svar ikke på denne",
    "detta är ett automatiskt", "detta är ett auto", "svara inte på detta", "svara ej på",
    "tämä on automaattinen", "tämä on automaattisesti", "automaattisesti lähetetty",
    "älä vastaa tähän",
    // Polish, Czech, Slovak, Slovene, Croatian, Hungarian
    "wygenerowana automatycznie", "wygenerowany automatycznie", "to jest automatyczn",
    "wiadomość automatyczna", "prosimy nie odpowiadać", "prosimy na niego nie odpowiadać",
    "toto je automatick", "vygenerován automaticky", "automaticky vygenerov",
    "automaticky generovan", "neodpovídejte na", "neodpovedajte na", "to je samodejno",
    "ovo je automatsk", "ez egy automatikus", "automatikusan generált", "ne válaszoljon erre",
    // Russian, Ukrainian, Bulgarian
    "это автоматическ", "это автоответ", "сформировано автоматически",
    "отправлено автоматически", "создано автоматически", "сгенерировано автоматически",
    "автоматически сформирован", "не отвечайте на это", "не отвечайте на данное",
    "отвечать на него не нужно", "просьба не отвечать", "пожалуйста, не отвечайте",
    "це автоматичн", "сформовано автоматично", "надіслано автоматично", "не відповідайте на",
    "това е автоматич", "моля, не отговаряйте",
    // Greek, Turkish, Hebrew, Arabic
    "αυτό είναι ένα αυτόματο", "αυτόματο μήνυμα", "αυτόματη απάντηση", "μην απαντήσετε σε",
    "bu otomatik", "bu bir otomatik", "otomatik olarak oluşturul", "otomatik olarak gönderil",
    "lütfen bu e-postay", "זוהי הודעה אוטומטית", "הודעה אוטומטית", "אין להשיב",
    "هذه رسالة تلقائية", "هذا رد تلقائي", "رد آلي", "يرجى عدم الرد",
    // Chinese, Japanese, Korean, Thai, Vietnamese, Indonesian
    "这是一封自动", "这是自动", "自动发送", "自动回复", "系统自动", "请勿回复", "请不要回复", "請勿回覆",
    "請勿直接回覆", "自動發送", "自動回覆", "自動送信", "自動返信", "自動応答", "自動配信", "送信専用",
    "返信しないで", "자동으로 발송", "자동 발송", "자동으로 회신", "자동 회신",
    "자동응답", "발신전용", "발신 전용", "회신하지 마", "ข้อความอัตโนมัติ", "ตอบกลับอัตโนมัติ",
    "email tự động", "thư tự động", "vui lòng không trả lời", "balasan otomatis",
    "dikirim secara otomatis", "jangan membalas",
];

/// How a program begins that presents its own message: it speaks of this one. The other words of
/// [`SELF_MADE`] begin people's sentences too: `Please do not reply to the old address`.
#[rustfmt::skip]
pub const PRESENTS: &[&str] = &[
    "this ", "dies", "das ist ein", "ceci ", "cet e-mail", "este ", "esta ", "aquest ", "questa ",
    "questo ", "acesta ", "dit ", "dette ", "detta ", "tämä ", "to jest ", "toto ", "to je ",
    "ovo ", "ez egy ", "это ", "це ", "това ", "αυτό ", "bu ", "זוהי ", "هذه ", "هذا ", "这",
    "本邮件", "本郵件", "このメール", "본 메일", "이 메일",
];

/// What people and their programs write about being away.
#[rustfmt::skip]
pub const AWAY: &[&str] = &[
    "out of the office", "out of office", "out of my office", "away from the office",
    "away from my desk", "i am away", "i'm away", "i will be away", "i'll be away",
    "i am currently away", "on vacation", "on annual leave", "on holiday", "on leave",
    "on maternity leave", "on parental leave", "limited access to my e", "limited access to e",
    "no access to my e", "no access to e", "not in the office", "no longer with",
    "no longer work", "no longer employed", "left the company",
    "nicht im büro", "nicht im haus", "außer haus", "im urlaub", "nicht erreichbar",
    "nicht am platz", "nicht anwesend", "abwesend", "wieder erreichbar", "wieder im büro",
    "wieder für sie", "je suis absent", "serai absent", "actuellement absent", "absent du",
    "absente du", "absent jusqu", "absente jusqu", "en congé", "de retour le", "mon retour",
    "estoy fuera", "estaré fuera", "me encuentro fuera", "fuera de la oficina", "de vacaciones",
    "estaré ausente", "no estaré disponible", "estou ausente", "estarei ausente",
    "fora do escritório", "de férias", "em férias", "sono fuori", "sarò fuori", "sono assente",
    "sarò assente", "in ferie", "fuori ufficio", "sunt plecat", "în concediu", "afwezig",
    "niet aanwezig", "niet op kantoor", "met vakantie", "op vakantie", "inte på kontoret",
    "på semester", "frånvarande", "åter på kontoret", "ikke på kontoret", "ikke til stede",
    "på ferie", "tilbage på kontoret", "tilbake på kontoret", "olen poissa", "lomalla",
    "en ole paikalla", "puhkusel", "atvaļinājumā", "atostog", "jestem nieobecn", "będę nieobecn",
    "na urlopie", "poza biurem", "nejsem v kancelář", "nejsem přítom", "mimo kancelář", "dovolen",
    "nie som v kancelár", "mimo kancelárie", "na dopustu", "odsoten", "odsotna",
    "na godišnjem odmoru", "izvan ureda", "házon kívül", "szabadság", "нахожусь в отпуске",
    "в отпуске", "отсутствую", "буду отсутствовать", "вне офиса", "на больничном",
    "в командировке", "больше не работает", "у відпустці", "відсутн", "в отпуска", "отсъствам",
    "λείπω", "απουσιάζω", "εκτός γραφείου", "σε άδεια", "ofis dışında", "izindeyim", "izinde",
    "tatilde", "מחוץ למשרד", "בחופשה", "איני נמצא", "خارج المكتب", "إجازة", "休假", "不在办公室",
    "不在", "休暇", "休業", "不在办公", "부재중", "부재 중", "휴가",
    "ลาพักร้อน", "ไม่อยู่", "nghỉ phép", "vắng mặt", "sedang cuti", "tidak berada di kantor",
];

/// What receipts say. RFC 8098 wants it typed; old programs write it in plain text.
#[rustfmt::skip]
pub const RECEIPT: &[&str] = &[
    "was read on", "was read by", "has been read", "was displayed on", "was opened on",
    "was deleted without being read", "this is a receipt for the mail you sent",
    "this is a return receipt", "return receipt for the mail", "this receipt verifies",
    "receipt only acknowledges", "your message was read", "wurde gelesen",
    "gelesen am", "empfangsbestätigung", "a été lu", "accusé de réception pour", "se leyó el",
    "fue leído", "ha sido leído", "foi lida", "foi lido", "è stato letto", "è stata letta",
    "is gelezen", "werd gelezen", "blev læst", "ble lest", "lästes", "on luettu",
    "odczytano", "została odczytana", "przeczytana", "byla přečtena", "bola prečítaná",
    "elolvasta", "было прочитано", "прочитано", "прочтено", "було прочитано", "okundu",
    "διαβάστηκε", "נקראה", "تمت قراءة", "已阅读", "已讀取", "開封されました", "開封確認", "읽었습니다",
];

/// Beginnings of lines after which another mail is quoted, whatever program quotes it.
#[rustfmt::skip]
pub const QUOTES: &[&str] = &[
    "from:", "from :", "*from:", "sent:", "von:", "*von:", "gesendet:", "de :", "de:", "*de:",
    "envoyé :", "expéditeur", "enviado:", "enviado el:", "enviada:", "da:", "*da:", "inviato:",
    "van:", "*van:", "verzonden:", "från:", "skickat:", "fra:", "sendt:", "lähettäjä:", "od:",
    "wysłano:", "odesláno:", "odoslané:", "felad", "от:", "отправлено:", "від:", "kimden:",
    "gönderen:", "από:", "מאת:", "من:", "发件人", "寄件者", "差出人", "보낸 사람", "보낸사람",
    "begin forwarded message", "anfang der weitergeleiteten", "début du message réexpédié",
    "-----original", "forwarded message",
];

/// What else is delivered, or not.
#[rustfmt::skip]
const PARCEL: &[&str] = &[
    "parcel", "package", "shipment", "courier will", "your order", "paket", "sendung", "lieferung",
    "colis", "livraison", "paquete", "pedido", "encomenda", "pacco", "spedizione", "ordine",
    "pakket", "pakke", "przesyłk", "paczk", "zásilk", "csomag", "посылк", "заказ", "відправлення",
    "kargo", "包裹", "快递", "荷物", "お荷物", "택배",
];
