//! What the fixtures of robots and of the people who resemble them say: one row a file.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use super::fixtures::{NOON, Row, fixture};
use super::*;

use Class::{Automated, Bounce, MailingList, Normal, SpamVerdict};

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
        ("automated-apple-vacation", "Ana Ruiz <ana@customer.example>", "Re: Our offer", NOON, "automated-apple-vacation@customer.example", Automated, "Away.", &[], "incoming queued"),
        ("automated-calendar-reminder", "Calendar <calendar-notification@provider.example>", "Notification: Visit", NOON, "automated-calendar-reminder@provider.example", Automated, "Visit at noon.", &[], "incoming queued"),
        ("automated-challenge-response", "Ana Ruiz <confirm@customer.example>", "Please confirm your message", NOON, "automated-challenge-response@customer.example", Automated, "You must click the link below once.", &[], "incoming queued"),
        ("automated-communigate-reply", "Ana Ruiz <ana@customer.example>", "Re: Our offer", NOON, "automated-communigate-reply@customer.example", Automated, "Away.", &[], "incoming queued"),
        ("automated-cron", "Cron Daemon <root@web.customer.example>", "Cron <root@web> /usr/bin/backup", NOON, "automated-cron@web.customer.example", Automated, "done", &[], "incoming queued"),
        ("automated-cron-without-its-header", " <root@web.customer.example>", "Cron <root@web> /usr/bin/backup", NOON, "automated-cron-without-its-header@web.customer.example", Automated, "done", &[], "incoming queued"),
        ("automated-dmarc-report", " <dmarc@provider.example>", "Report Domain: example.com Submitter: provider.example Report-ID: 1", NOON, "automated-dmarc-report@provider.example", Automated, "", &["report.xml.gz"], "incoming queued"),
        ("automated-exchange-2007-ooo-suppress-only", "Ana Ruiz <ana@customer.example>", "Out of Office: Our offer", NOON, "automated-exchange-2007-ooo-suppress-only@customer.example", Automated, "Back on Monday.", &[], "incoming queued"),
        ("automated-from-an-autoreply-address", "Support <autoreply@customer.example>", "Re: Our offer", NOON, "automated-from-an-autoreply-address@customer.example", Automated, "We got it.", &[], "incoming queued"),
        ("automated-github-notification", "Ana Ruiz <notifications@forge.example>", "[shop/web] Page is slow (Issue #7)", NOON, "automated-github-notification@forge.example", Automated, "It is slow.", &[], "incoming queued"),
        ("automated-gmail-vacation", "Ana Ruiz <ana@customer.example>", "Away Re: Our offer", NOON, "automated-gmail-vacation@customer.example", Automated, "Back on Monday.", &[], "incoming queued"),
        ("automated-jenkins", " <ci@customer.example>", "Build failed in Jenkins: web #7", NOON, "automated-jenkins@customer.example", Automated, "See the log.", &[], "incoming queued"),
        ("automated-jira", "Ana Ruiz (JIRA) <jira@customer.example>", "[JIRA] (WEB-7) Page is slow", NOON, "automated-jira@customer.example", Automated, "Ana Ruiz created WEB-7", &[], "incoming queued"),
        ("automated-kerio-x-mailer-autoresponder", "Ana Ruiz <ana@customer.example>", "Re: Our offer", NOON, "automated-kerio-x-mailer-autoresponder@customer.example", Automated, "Away.", &[], "incoming queued"),
        ("automated-logwatch", " <logwatch@web.customer.example>", "Logwatch for web.customer.example (Linux)", NOON, "automated-logwatch@web.customer.example", Automated, "################### Logwatch", &[], "incoming queued"),
        ("automated-mailman-administrivia", " <forum-bounces@lists.example>", "Your message to Forum awaits moderator approval", NOON, "automated-mailman-administrivia@lists.example", Automated, "Your mail is being held.", &[], "incoming queued"),
        ("automated-mailtraq", "Ana Ruiz <ana@customer.example>", "Re: Our offer", NOON, "automated-mailtraq@customer.example", Automated, "Away.", &[], "incoming queued"),
        ("automated-nagios-alert", " <nagios@web.customer.example>", "** PROBLEM Service Alert: web/HTTP is CRITICAL **", NOON, "automated-nagios-alert@web.customer.example", Automated, "***** Nagios *****", &[], "incoming queued"),
        ("automated-notes-auto-prefix", "Ana Ruiz <ana@customer.example>", "AUTO: Ana Ruiz is out of the office (returning 05/06/2024)", NOON, "automated-notes-auto-prefix@customer.example", Automated, "I am out of the office until 05/06/2024.\n\nNote: This is an automated response to your message \"Our offer\".", &[], "incoming queued"),
        ("automated-notes-is-out-of-the-office", "Ana Ruiz <ana@customer.example>", "Ana Ruiz is out of the office.", NOON, "automated-notes-is-out-of-the-office@customer.example", Automated, "I will be out of the office starting 05/02/2024 and will not return until 05/06/2024.\n\nI will respond to your message when I return.", &[], "incoming queued"),
        ("automated-notification-through-a-service", "Shop <no-reply@shop.example>", "Parcel 12 is on its way", NOON, "automated-notification-through-a-service@shop.example", Automated, "It comes tomorrow.", &[], "incoming queued"),
        ("automated-ooo-in-the-thread-without-re", "Ana Ruiz <ana@customer.example>", "Automatic reply: Our offer", NOON, "automated-ooo-in-the-thread-without-re@customer.example", Automated, "Back on Monday.", &[], "incoming queued"),
        ("automated-ooo-sent-through-a-list", "Ana Ruiz <ana@customer.example>", "Automatic reply: [Forum] Question", NOON, "automated-ooo-sent-through-a-list@customer.example", Automated, "Away.", &[], "incoming queued"),
        ("automated-ooo-without-a-return-path", "Ana Ruiz <ana@customer.example>", "Out of office", NOON, "automated-ooo-without-a-return-path@customer.example", Automated, "Back on Monday.", &[], "incoming queued"),
        ("automated-order-confirmation-from-noreply", "Shop <noreply@shop.example>", "Order confirmation 4711", NOON, "automated-order-confirmation-from-noreply@shop.example", Automated, "Thank you.", &[], "incoming queued"),
        ("automated-outlook-ooo-chinese-body-tells", "Ana Ruiz <ana@customer.example>", "自动答复: Our offer", NOON, "automated-outlook-ooo-chinese-body-tells@customer.example", Automated, "我在休假。", &[], "incoming queued"),
        ("automated-outlook-ooo-czech-body-tells", "Ana Ruiz <ana@customer.example>", "Automatická odpověď: Our offer", NOON, "automated-outlook-ooo-czech-body-tells@customer.example", Automated, "Nejsem v kanceláři.", &[], "incoming queued"),
        ("automated-outlook-ooo-dutch-body-tells", "Ana Ruiz <ana@customer.example>", "Automatisch antwoord: Our offer", NOON, "automated-outlook-ooo-dutch-body-tells@customer.example", Automated, "Ik ben afwezig tot 6 mei.", &[], "incoming queued"),
        ("automated-outlook-ooo-finnish-body-tells", "Ana Ruiz <ana@customer.example>", "Automaattinen vastaus: Our offer", NOON, "automated-outlook-ooo-finnish-body-tells@customer.example", Automated, "Olen poissa toimistosta.", &[], "incoming queued"),
        ("automated-outlook-ooo-french-body-tells", "Ana Ruiz <ana@customer.example>", "Réponse automatique : Our offer", NOON, "automated-outlook-ooo-french-body-tells@customer.example", Automated, "Je suis absente jusqu'au 6 mai.", &[], "incoming queued"),
        ("automated-outlook-ooo-german-body-tells", "Ana Ruiz <ana@customer.example>", "Automatische Antwort: Our offer", NOON, "automated-outlook-ooo-german-body-tells@customer.example", Automated, "Ich bin bis 6. Mai nicht im Büro.", &[], "incoming queued"),
        ("automated-outlook-ooo-greek-body-tells", "Ana Ruiz <ana@customer.example>", "Αυτόματη απάντηση: Our offer", NOON, "automated-outlook-ooo-greek-body-tells@customer.example", Automated, "Λείπω από το γραφείο.", &[], "incoming queued"),
        ("automated-outlook-ooo-hebrew-body-tells", "Ana Ruiz <ana@customer.example>", "תשובה אוטומטית: Our offer", NOON, "automated-outlook-ooo-hebrew-body-tells@customer.example", Automated, "אני מחוץ למשרד.", &[], "incoming queued"),
        ("automated-outlook-ooo-hungarian-body-tells", "Ana Ruiz <ana@customer.example>", "Automatikus válasz: Our offer", NOON, "automated-outlook-ooo-hungarian-body-tells@customer.example", Automated, "Szabadságon vagyok.", &[], "incoming queued"),
        ("automated-outlook-ooo-italian-body-tells", "Ana Ruiz <ana@customer.example>", "Risposta automatica: Our offer", NOON, "automated-outlook-ooo-italian-body-tells@customer.example", Automated, "Sono fuori ufficio fino al 6 maggio.", &[], "incoming queued"),
        ("automated-outlook-ooo-japanese-iso-2022-jp", "山田 <yamada@customer.example>", "自動応答: Our offer", NOON, "automated-outlook-ooo-japanese-iso-2022-jp@customer.example", Automated, "不在にしております。", &[], "incoming queued"),
        ("automated-outlook-ooo-korean-body-tells", "Ana Ruiz <ana@customer.example>", "자동 회신: Our offer", NOON, "automated-outlook-ooo-korean-body-tells@customer.example", Automated, "부재중입니다.", &[], "incoming queued"),
        ("automated-outlook-ooo-polish-body-tells", "Ana Ruiz <ana@customer.example>", "Odpowiedź automatyczna: Our offer", NOON, "automated-outlook-ooo-polish-body-tells@customer.example", Automated, "Jestem nieobecna do 6 maja.", &[], "incoming queued"),
        ("automated-outlook-ooo-portuguese-body-tells", "Ana Ruiz <ana@customer.example>", "Resposta automática: Our offer", NOON, "automated-outlook-ooo-portuguese-body-tells@customer.example", Automated, "Estou ausente até 6 de maio.", &[], "incoming queued"),
        ("automated-outlook-ooo-russian-body-tells", "Ana Ruiz <ana@customer.example>", "Автоматический ответ: Our offer", NOON, "automated-outlook-ooo-russian-body-tells@customer.example", Automated, "Я в отпуске до 6 мая.", &[], "incoming queued"),
        ("automated-outlook-ooo-spanish-body-tells", "Ana Ruiz <ana@customer.example>", "Respuesta automática: Our offer", NOON, "automated-outlook-ooo-spanish-body-tells@customer.example", Automated, "Estoy fuera de la oficina hasta el 6 de mayo.", &[], "incoming queued"),
        ("automated-outlook-ooo-swedish-body-tells", "Ana Ruiz <ana@customer.example>", "Autosvar: Our offer", NOON, "automated-outlook-ooo-swedish-body-tells@customer.example", Automated, "Jag är inte på kontoret.", &[], "incoming queued"),
        ("automated-outlook-ooo-turkish-body-tells", "Ana Ruiz <ana@customer.example>", "Otomatik Yanıt: Our offer", NOON, "automated-outlook-ooo-turkish-body-tells@customer.example", Automated, "Ofis dışındayım.", &[], "incoming queued"),
        ("automated-outlook-ooo-ukrainian-body-tells", "Ana Ruiz <ana@customer.example>", "Автоматична відповідь: Our offer", NOON, "automated-outlook-ooo-ukrainian-body-tells@customer.example", Automated, "Я у відпустці.", &[], "incoming queued"),
        ("automated-please-do-not-reply", "Bank <nichtantworten@bank.example>", "Kontoauszug", NOON, "automated-please-do-not-reply@bank.example", Automated, "Ihr Auszug liegt bereit.\n\nDies ist eine automatisch erzeugte Nachricht.", &[], "incoming queued"),
        ("automated-procmail-vacation-loop", "Ana Ruiz <ana@customer.example>", "Re: Our offer", NOON, "automated-procmail-vacation-loop@customer.example", Automated, "Away.", &[], "incoming queued"),
        ("automated-qmail-autoresponder", "Ana Ruiz <ana@customer.example>", "Re: Our offer", NOON, "automated-qmail-autoresponder@customer.example", Automated, "Thank you, we write back.", &[], "incoming queued"),
        ("automated-read-receipt-in-the-thread", "Ana Ruiz <ana@customer.example>", "Lu : Our offer", NOON, "automated-read-receipt-in-the-thread@customer.example", Automated, "Votre message", &[], "incoming queued"),
        ("automated-read-receipt-plain-german", "Ana Ruiz <ana@customer.example>", "Gelesen: Our offer", NOON, "automated-read-receipt-plain-german@customer.example", Automated, "Ihre Nachricht\n\n   An: Ana Ruiz\n   Betreff: Our offer\n\nwurde am 02.05.2024 12:15 gelesen.", &[], "incoming queued"),
        ("automated-says-so-itself", "Ana Ruiz <ana@customer.example>", "Re: Our offer", NOON, "automated-says-so-itself@customer.example", Automated, "This is an automated response.\nI am on vacation until Monday.", &[], "incoming queued"),
        ("automated-ticket-receipt-from-noreply", "Support <noreply@customer.example>", "Your request has been received", NOON, "automated-ticket-receipt-from-noreply@customer.example", Automated, "We write back within a day.", &[], "incoming queued"),
        ("automated-ticket-receipt-otrs", "Support <support@customer.example>", "[Ticket#2024050210000017] Our offer", NOON, "automated-ticket-receipt-otrs@customer.example", Automated, "Thank you for your mail.", &[], "incoming queued"),
        ("automated-tls-report", " <tls@provider.example>", "TLS", NOON, "automated-tls-report@provider.example", Automated, "A report.", &["tls.json.gz"], "incoming queued"),
        ("automated-unix-vacation", "Ana Ruiz <ana@customer.example>", "away from my mail", NOON, "automated-unix-vacation@customer.example", Automated, "I will read your mail when I return.", &[], "incoming queued"),
        ("bounce-auto-submitted-with-a-telling-subject", "Mail robot <robot7@mx.example.net>", "Undeliverable: Our offer", NOON, "bounce-auto-submitted-with-a-telling-subject@mx.example.net", Bounce, "No such person.", &[], "incoming queued"),
        ("bounce-barracuda", "Barracuda Gateway <gateway@mx.example.net>", "**Message you sent blocked by our bulk email filter**", NOON, "bounce-barracuda@mx.example.net", Bounce, "Your message to: bo@customer.example\nwas blocked by our Spam Firewall.", &[], "incoming queued"),
        ("bounce-chinese-gb18030-null-path", " <service@provider.example>", "系统退信", NOON, "bounce-chinese-gb18030-null-path@provider.example", Bounce, "很抱歉，您的邮件无法送达：\nbo@customer.example", &[], "incoming queued"),
        ("bounce-complaint-jmrp", " <staff@provider.example>", "complaint about message from 192.0.2.1", NOON, "bounce-complaint-jmrp@provider.example", Bounce, "", &["Our offer.eml"], "incoming queued"),
        ("bounce-courier-notice", "Courier mail server at mx <postmaster@mx.example.net>", "NOTICE: mail delivery status.", NOON, "bounce-courier-notice@mx.example.net", Bounce, "This is a delivery status notification from mx.example.net.\n\n<bo@customer.example>:\n     550 User unknown.", &[], "incoming queued"),
        ("bounce-daemon-without-a-domain", "", "Returned mail: User unknown", NOON, "bounce-daemon-without-a-domain@mx.example.net", Bounce, "   ----- The following addresses had permanent fatal errors -----\n<bo@customer.example>", &[], "incoming queued"),
        ("bounce-exchange-2003-tnef", "System Administrator <postmaster@customer.example>", "Undeliverable: Our offer", NOON, "bounce-exchange-2003-tnef@customer.example", Bounce, "The e-mail account does not exist.", &[], "incoming queued"),
        ("bounce-exchange-relayed-russian", "postmaster@customer.example <postmaster@customer.example>", "Ретранслировано: Our offer", NOON, "bounce-exchange-relayed-russian@customer.example", Bounce, "Доставка получателям выполнена, но целевой сервер не отправил уведомление.", &["attachment-1.txt", "Our offer.eml"], "incoming queued"),
        ("bounce-exim-failed-recipients", " <nobody@mx.example.net>", "Your mail", NOON, "bounce-exim-failed-recipients@mx.example.net", Bounce, "Sorry.", &[], "incoming queued"),
        ("bounce-exim-warning", "Mail Delivery System <mailer-daemon@mx.example.net>", "Warning: message 1s2Abc-0001xY-00 delayed 24 hours", NOON, "bounce-exim-warning@mx.example.net", Bounce, "This message was created automatically by mail delivery software.\nA message that you sent has not yet been delivered.\n\n  bo@customer.example\n    Delay reason: Connection timed out", &[], "incoming queued"),
        ("bounce-ezweb", " <postmaster@ezweb.example>", "Mail System Error - Returned Mail", NOON, "bounce-ezweb@ezweb.example", Bounce, "The user(s) account is disabled.\n\n<bo@customer.example>: 550 user unknown (in reply to RCPT TO command)", &[], "incoming queued"),
        ("bounce-fml-not-member", "fml <forum-admin@lists.example>", "NOT MEMBER article from sales@example.com", NOON, "20240502101500.FMLAAA1.forum@lists.example", Bounce, "You are not a member of this mailing list.", &[], "incoming queued"),
        ("bounce-groupwise", " <postmaster@gw.example.net>", "Message status - undeliverable", NOON, "bounce-groupwise@gw.example.net", Bounce, "The message that you sent was undeliverable to the following:\n    bo@customer.example (user unknown)", &[], "incoming queued"),
        ("bounce-headers-only-came-back", " <mailer-daemon@mx.example.net>", "Undelivered Mail Returned to Sender", NOON, "bounce-headers-only-came-back@mx.example.net", Bounce, "This is the mail system at host mx.example.net.", &["attachment-1.txt", "attachment-2.txt"], "incoming queued"),
        ("bounce-home-made-french", " <support@gate.example>", "Message non distribué", NOON, "bounce-home-made-french@gate.example", Bounce, "Votre message n'a pas pu être remis :\n\nDestinataire : bo@customer.example", &[], "incoming queued"),
        ("bounce-home-made-from-a-person-looking-address", "Karl Weber <karl.weber@gate.example>", "Nicht zustellbar: Our offer", NOON, "bounce-home-made-from-a-person-looking-address@gate.example", Bounce, "Ihre Nachricht an folgenden Empfänger konnte nicht zugestellt werden:\n\n  bo@customer.example", &[], "incoming queued"),
        ("bounce-home-made-spanish-html", " <root@gate.example>", "Mensaje", NOON, "bounce-home-made-spanish-html@gate.example", Bounce, "No se pudo entregar su mensaje a:\n\nbo@customer.example", &[], "incoming queued"),
        ("bounce-internet-mail-service-5-5", "System Administrator <admin@customer.example>", "Undeliverable: Our offer", NOON, "bounce-internet-mail-service-5-5@customer.example", Bounce, "Your message\n\n  To:      Bo\n  Subject: Our offer\n\ndid not reach the following recipient(s):\n\nbo@customer.example on Thu, 2 May 2024 12:15:00 +0200\n    The recipient name is not recognized", &[], "incoming queued"),
        ("bounce-interscan-japanese-iso-2022-jp", "InterScan MSS <imss@mx.example.net>", "メッセージを配信できません。", NOON, "bounce-interscan-japanese-iso-2022-jp@mx.example.net", Bounce, "メッセージを配信できませんでした。\nSent <<< RCPT TO:<bo@customer.example>\nReceived >>> 550 5.1.1 unknown", &[], "incoming queued"),
        ("bounce-kddi-from-noreply", " <no-reply@mobile.example>", "Mail", NOON, "bounce-kddi-from-noreply@mobile.example", Bounce, "Your mail sent on: Thu, 2 May 2024 12:15:00 +0900\n    Could not be delivered to: <bo@customer.example>\n    As their mailbox is full.", &[], "incoming queued"),
        ("bounce-korean-home-made", " <postmaster@provider.example>", "메일 반송: Our offer", NOON, "bounce-korean-home-made@provider.example", Bounce, "메일을 배달할 수 없습니다.\n받는 사람: bo@customer.example", &[], "incoming queued"),
        ("bounce-mail-ru-copy-in-text", " <mailer-daemon@corp.provider.example>", "Mail failure.", NOON, "bounce-mail-ru-copy-in-text@corp.provider.example", Bounce, "A message that you sent was rejected.\n\n  bo@customer.example\n  not our customer\n\n------ This is a copy of your message, including all the headers. ------\n\nFrom: sales@example.com\nTo: bo@customer.example\nMessage-ID: <offer@example.com>", &[], "incoming queued"),
        ("bounce-mailmarshal", " <postmaster@mx.example.net>", "Undeliverable Mail: \"Our offer\"", NOON, "bounce-mailmarshal@mx.example.net", Bounce, "Your message was not delivered.\n\nRecipient: bo@customer.example", &[], "incoming queued"),
        ("bounce-mdaemon", " <mdaemon@mx.example.net>", "Permanent Delivery Failure", NOON, "bounce-mdaemon@mx.example.net", Bounce, "The attached message had PERMANENT fatal delivery errors!\n\n> bo@customer.example", &[], "incoming queued"),
        ("bounce-messaging-server", "Internet Mail Delivery <postmaster@mx.example.net>", "Delivery Notification: Delivery has failed", NOON, "bounce-messaging-server@mx.example.net", Bounce, "This report relates to a message you sent with the following header fields:\n\n  Message-id: <offer@example.com>\n\nYour message cannot be delivered to the following recipients:\n\n  Recipient address: bo@customer.example", &[], "incoming queued"),
        ("bounce-mimecast", " <postmaster@mimecast.example>", "[Postmaster] Email Delivery Failure", NOON, "bounce-mimecast@mimecast.example", Bounce, "We were unable to deliver your message to:\n\nbo@customer.example", &[], "incoming queued"),
        ("bounce-named-by-its-display-name", "Mail Delivery Subsystem <gate7@mx.example.net>", "Your mail", NOON, "bounce-named-by-its-display-name@mx.example.net", Bounce, "The host did not answer.", &[], "incoming queued"),
        ("bounce-notes-undeliverable-message", " <postmaster@notes.example.net>", "Undeliverable message", NOON, "bounce-notes-undeliverable-message@notes.example.net", Bounce, "------- Failure Reasons  --------\n\nUser not listed in public Name & Address Book\nbo@customer.example", &[], "incoming queued"),
        ("bounce-office-365-german", "Microsoft Outlook <microsoftexchange329e71ec88ae4615bbc36ab6ce41109e@customer.example>", "Unzustellbar: Our offer", NOON, "bounce-office-365-german@customer.example", Bounce, "Fehler bei der Nachrichtenzustellung an folgende Empfänger oder Gruppen:", &["attachment-1.txt", "Our offer.eml"], "incoming queued"),
        ("bounce-postfix-delayed-warning", "Mail Delivery System <mailer-daemon@mx.example.net>", "Delayed Mail (still being retried)", NOON, "bounce-postfix-delayed-warning@mx.example.net", Bounce, "This is the mail system at host mx.example.net.\nYour message could not be delivered for 4 hours.", &["attachment-1.txt", "Our offer.eml"], "incoming queued"),
        ("bounce-qmail-double", " <mailer-daemon@mx.example.net>", "failure notice", NOON, "bounce-qmail-double@mx.example.net", Bounce, "Hi. This is the qmail-send program.\nI tried to deliver a bounce message to this address, but the bounce bounced!\n\n<bo@customer.example>:\nno mailbox here by that name", &[], "incoming queued"),
        ("bounce-report-labelled-mixed", " <postmaster@mx.example.net>", "Notice", NOON, "bounce-report-labelled-mixed@mx.example.net", Bounce, "The message is attached.", &["attachment-1.txt", "Our offer.eml"], "incoming queued"),
        ("bounce-report-without-its-type", " <gate@mx.example.net>", "Mail status", NOON, "bounce-report-without-its-type@mx.example.net", Bounce, "Sorry.", &["attachment-1.txt", "Our offer.eml"], "incoming queued"),
        ("bounce-sendmail-delivered-receipt", "Mail Delivery Subsystem <mailer-daemon@mx.example.net>", "Return receipt", NOON, "bounce-sendmail-delivered-receipt@mx.example.net", Bounce, "The original message was received.\n\n   ----- The following addresses had successful delivery notifications -----", &["attachment-1.txt", "Our offer.eml"], "incoming queued"),
        ("bounce-ses-notification-json", "AWS Notifications <no-reply@sns.provider.example>", "AWS Notification Message", NOON, "bounce-ses-notification-json@sns.provider.example", Bounce, "{\"notificationType\":\"Bounce\",\"bounce\":{\"bouncedRecipients\":[{\"emailAddress\":\"bo@customer.example\"}]}}", &[], "incoming queued"),
        ("bounce-subject-marked-by-a-filter", " <postmaster@mx.example.net>", "[SPAM] Undeliverable: Our offer", NOON, "bounce-subject-marked-by-a-filter@mx.example.net", Bounce, "The user does not exist.", &[], "incoming queued"),
        ("bounce-trend-micro-virus-notice", " <antivirus@mx.example.net>", "VIRUS (Eicar) IN MAIL FROM YOU", NOON, "bounce-trend-micro-virus-notice@mx.example.net", Bounce, "Our scanner stopped your mail to\n-> bo@customer.example", &[], "incoming queued"),
        ("bounce-utf-8-recipient", " <mailer-daemon@mx.example.net>", "Undelivered Mail Returned to Sender", NOON, "bounce-utf-8-recipient@mx.example.net", Bounce, "Nothing.", &["attachment-1.txt", "Our offer.eml"], "incoming queued"),
        ("bounce-verizon-post-master", " <post_master@mobile.example>", "Undelivered Message", NOON, "bounce-verizon-post-master@mobile.example", Bounce, "Message could not be delivered to mobile.\nError: No valid recipients for this MM", &[], "incoming queued"),
        ("bounce-yandex-russian", " <mailer-daemon@provider.example>", "Недоставленное сообщение", NOON, "bounce-yandex-russian@provider.example", Bounce, "Ваше письмо не было доставлено:\n\nbo@customer.example", &[], "incoming queued"),
        ("bounce-zimbra", "Mail Delivery System <mailer-daemon@zimbra.example.net>", "Undelivered Mail Returned to Sender", NOON, "bounce-zimbra@zimbra.example.net", Bounce, "This is the mail system at host zimbra.example.net.\n\n<bo@customer.example>: unknown user", &[], "incoming queued"),
        ("list-google-group", "Ana Ruiz <ana@customer.example>", "[group] Question", NOON, "list-google-group@customer.example", MailingList, "How?", &[], "incoming queued"),
        ("list-newsletter-unsubscribe-only", "Shop <news@shop.example>", "Spring offers", NOON, "list-newsletter-unsubscribe-only@shop.example", MailingList, "Buy.", &[], "incoming queued"),
        ("list-old-mailman-been-there", "Ana Ruiz <ana@customer.example>", "[Forum] Question", NOON, "list-old-mailman-been-there@customer.example", MailingList, "How?", &[], "incoming queued"),
        ("list-person-tells-of-a-bounce", "Ana Ruiz <ana@customer.example>", "[Forum] Undeliverable mail", NOON, "list-person-tells-of-a-bounce@customer.example", MailingList, "Who else sees this?\n\n> This is the mail system at host mx.", &[], "incoming queued"),
        ("list-post-through-fml", "Ana Ruiz <ana@customer.example>", "Question", NOON, "20240502101500.FMLAAA2.forum@lists.example", MailingList, "How?", &[], "incoming queued"),
        ("normal-absent-on-two-days-in-the-thread", "Ana Ruiz <ana@customer.example>", "Absent: Monday and Tuesday", NOON, "normal-absent-on-two-days-in-the-thread@customer.example", Normal, "Then let us meet on Wednesday.", &[], "incoming queued"),
        ("normal-administrator-asks-for-an-order", "Администратор <info@salon.example>", "Не удалось доставить заказ 4711", NOON, "normal-administrator-asks-for-an-order@salon.example", Normal, "Курьер никого не застал. Когда можно приехать?", &[], "incoming queued"),
        ("normal-administrator-of-a-salon", "Администратор <info@salon.example>", "Доставка оборудования в пятницу", NOON, "normal-administrator-of-a-salon@salon.example", Normal, "Ждём вас в 10 часов.", &[], "incoming queued"),
        ("normal-agent-answers-a-ticket", "Ana Ruiz (Support) <support@customer.example>", "[Ticket#7] Our offer", NOON, "normal-agent-answers-a-ticket@customer.example", Normal, "Hello,\n\nI looked into it: the price is right.\n\nAna", &[], "incoming queued"),
        ("normal-answering-machine-in-russian", "Ana Ruiz <ana@customer.example>", "Автоответчик для офиса", NOON, "normal-answering-machine-in-russian@customer.example", Normal, "Завтра я в командировке, позвоните сегодня.", &[], "incoming queued"),
        ("normal-asks-how-to-answer-automatically-in-japanese", "山田 <yamada@customer.example>", "自動返信の設定について", NOON, "normal-asks-how-to-answer-automatically-in-japanese@customer.example", Normal, "明日は不在ですが、設定を教えてください。", &[], "incoming queued"),
        ("normal-auto-submitted-no", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "normal-auto-submitted-no@customer.example", Normal, "Please call me.", &[], "incoming queued"),
        ("normal-calendar-invitation-by-google", "Ana Ruiz <ana@customer.example>", "Invitation: Visit @ Thu 2 May 2024", NOON, "normal-calendar-invitation-by-google@customer.example", Normal, "You are invited.", &[], "incoming queued"),
        ("normal-car-in-capitals", "Ana Ruiz <ana@customer.example>", "AUTO: Golf VII", NOON, "normal-car-in-capitals@customer.example", Normal, "Der Wagen ist ab dem 3. Mai verfügbar.", &[], "incoming queued"),
        ("normal-car-offer-called-auto", "Jürgen Groß <juergen@customer.example>", "Auto: Angebot", NOON, "normal-car-offer-called-auto@customer.example", Normal, "Das Auto können Sie am Montag sehen.", &[], "incoming queued"),
        ("normal-colleague-is-on-vacation", "Anna Ruiz <anna@customer.example>", "Ann is on vacation", NOON, "normal-colleague-is-on-vacation@customer.example", Normal, "Please write to me instead, Ann is out of the office.\nAnna", &[], "incoming queued"),
        ("normal-contract-is-read", "Ana Ruiz <ana@customer.example>", "Gelesen: Vertrag 12", NOON, "normal-contract-is-read@customer.example", Normal, "Der Vertrag wurde am Montag geändert, bitte sehen Sie Seite 3.", &[], "incoming queued"),
        ("normal-courier-could-not-deliver-in-spanish", "Service <service@customer.example>", "No se pudo entregar su pedido", NOON, "normal-courier-could-not-deliver-in-spanish@customer.example", Normal, "No se pudo entregar su pedido 4711, no había nadie.\nservice@customer.example", &[], "incoming queued"),
        ("normal-delivery-of-a-parcel", "Karl Weber <karl@carrier.example>", "Delivery failed: parcel 12", NOON, "normal-delivery-of-a-parcel@carrier.example", Normal, "Hello, nobody was at home. When may we come again?\n\nKarl Weber", &[], "incoming queued"),
        ("normal-employee-of-barracuda", "Barracuda Ana Ruiz <ana@barracuda.example>", "Delivery report of May", NOON, "normal-employee-of-barracuda@barracuda.example", Normal, "As promised, the figures.", &[], "incoming queued"),
        ("normal-employee-of-mimecast", "Mimecast - Ana Ruiz <ana@mimecast.example>", "Undeliverable mail: our offer for your company", NOON, "normal-employee-of-mimecast@mimecast.example", Normal, "Shall we talk on Monday?", &[], "incoming queued"),
        ("normal-firm-called-mail-systems", "Mail Systems Ltd <ana@systems.example>", "Delivery report of May", NOON, "normal-firm-called-mail-systems@systems.example", Normal, "As promised, the figures.", &[], "incoming queued"),
        ("normal-form-from-noreply-names-the-person", "Shop <noreply@shop.example>", "Thank you for contacting us", NOON, "normal-form-from-noreply-names-the-person@shop.example", Normal, "Name: Ana Ruiz\n\nThis message was generated automatically.", &[], "incoming queued"),
        ("normal-form-names-who-lost-a-mail", "Shop <noreply@shop.example>", "Question", NOON, "normal-form-names-who-lost-a-mail@shop.example", Normal, "My message was not delivered to sales@example.com, please call me.", &[], "incoming queued"),
        ("normal-form-tells-of-a-lost-mail", "Shop <noreply@shop.example>", "New enquiry", NOON, "normal-form-tells-of-a-lost-mail@shop.example", Normal, "I sent you an email, but my message could not be delivered.\nana@customer.example", &[], "incoming queued"),
        ("normal-form-through-a-service", "Shop <noreply@shop.example>", "Kontaktformular: Preis?", NOON, "normal-form-through-a-service@shop.example", Normal, "Name: Ana Ruiz\nE-Mail: ana@customer.example", &[], "incoming queued"),
        ("normal-forwarder-dropped-the-return-path", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "normal-forwarder-dropped-the-return-path@customer.example", Normal, "Please call me.", &[], "incoming queued"),
        ("normal-forwards-a-bounce-as-parts", "Ana Ruiz <ana@customer.example>", "Fwd: Undelivered Mail Returned to Sender", NOON, "normal-forwards-a-bounce-as-parts@customer.example", Normal, "Is this yours?", &["attachment-1.txt"], "incoming queued"),
        ("normal-forwards-a-bounce-inline", "Ana Ruiz <ana@customer.example>", "WG: Unzustellbar: Our offer", NOON, "normal-forwards-a-bounce-inline@customer.example", Normal, "Ihre Nachricht konnte nicht zugestellt werden.\n\nbo@customer.example", &[], "incoming queued"),
        ("normal-freight-is-delayed", "Ana Ruiz <ana@customer.example>", "Delivery delayed: 2 pallets", NOON, "normal-freight-is-delayed@customer.example", Normal, "Dear Bo,\nthe ship has been delayed, so we were unable to deliver your pallets.\nAna", &[], "incoming queued"),
        ("normal-invoice-please-do-not-reply-to-the-old-address", "Ana Ruiz <ana@customer.example>", "Your order 4711", NOON, "normal-invoice-please-do-not-reply-to-the-old-address@customer.example", Normal, "Please do not reply to the old address, write to me.\nAna", &[], "incoming queued"),
        ("normal-invoice-with-a-footer-of-its-program", "Ana Ruiz <ana@customer.example>", "Your invoice 4711", NOON, "normal-invoice-with-a-footer-of-its-program@customer.example", Normal, "Dear Bo,\nplease find the invoice attached.\n\nThis is a computer generated invoice and needs no signature.", &[], "incoming queued"),
        ("normal-japanese-courtesy", "山田 <yamada@customer.example>", "ご注文の件", NOON, "normal-japanese-courtesy@customer.example", Normal, "お世話になっております。\nご返信いただけますと幸いです。\n明日は外出しております。", &[], "incoming queued"),
        ("normal-late-goods-without-a-return-path", "Ana Ruiz <ana@customer.example>", "Delivery problem", NOON, "normal-late-goods-without-a-return-path@customer.example", Normal, "Hello,\nthe pumps have not been delivered yet.", &[], "incoming queued"),
        ("normal-mailbox-of-a-house", "Hausverwaltung <office@customer.example>", "Mailbox full", NOON, "normal-mailbox-of-a-house@customer.example", Normal, "The letter box of flat 4 is full, please empty it.", &[], "incoming queued"),
        ("normal-meeting-accepted", "Ana Ruiz <ana@customer.example>", "Accepted: Visit", NOON, "normal-meeting-accepted@customer.example", Normal, "I come.", &["reply.ics"], "incoming queued"),
        ("normal-meter-was-read", "Ana Ruiz <ana@customer.example>", "Receipt: meter 12", NOON, "normal-meter-was-read@customer.example", Normal, "The meter has been read on 2 May. The receipt is attached.", &[], "incoming queued"),
        ("normal-non-delivery-from-an-office", "Service <service@customer.example>", "Non delivery of order 4711", NOON, "normal-non-delivery-from-an-office@customer.example", Normal, "Please tell us where it is.", &[], "incoming queued"),
        ("normal-non-delivery-of-an-order", "Ana Ruiz <ana@customer.example>", "Non-delivery of order 4711", NOON, "normal-non-delivery-of-an-order@customer.example", Normal, "Our parcel has not been delivered.", &[], "incoming queued"),
        ("normal-office-answers-about-a-lost-mail", "Support <support@customer.example>", "Delivery problem", NOON, "normal-office-answers-about-a-lost-mail@customer.example", Normal, "Thank you for your e-mail, the part has been returned to you.\nIt should arrive on Monday.", &[], "incoming queued"),
        ("normal-office-heard-of-late-goods", "Service <service@customer.example>", "Delivery delayed: pump", NOON, "normal-office-heard-of-late-goods@customer.example", Normal, "We got your message that the pump has not been delivered yet.\nAna Ruiz, ana@customer.example", &[], "incoming queued"),
        ("normal-office-sends-goods-by-mail", "Service <service@customer.example>", "Delivery problem", NOON, "normal-office-sends-goods-by-mail@customer.example", Normal, "The pump could not be delivered to the following place by mail:\nservice@customer.example knows more.", &[], "incoming queued"),
        ("normal-office-tells-of-late-goods-in-english", "Support <support@customer.example>", "Delivery problem", NOON, "normal-office-tells-of-late-goods-in-english@customer.example", Normal, "Hello,\nthe pumps we bought have not been delivered yet. Please call me.\nAna Ruiz, ana@customer.example", &[], "incoming queued"),
        ("normal-office-tells-of-late-goods-in-french", "Support <support@customer.example>", "Non distribué : commande 4711", NOON, "normal-office-tells-of-late-goods-in-french@customer.example", Normal, "Bonjour,\nla pompe n'a pas pu être remise, le colis n'a pas pu être livré.\nsupport@customer.example", &[], "incoming queued"),
        ("normal-office-tells-of-late-goods-in-german", "Service <service@customer.example>", "Zustellung fehlgeschlagen", NOON, "normal-office-tells-of-late-goods-in-german@customer.example", Normal, "Guten Tag,\ndanke für Ihre Nachricht, die Pumpe wurde noch nicht zugestellt.\nService, service@customer.example", &[], "incoming queued"),
        ("normal-office-tells-of-late-goods-in-japanese", "Service <service@customer.example>", "配送失敗の件", NOON, "normal-office-tells-of-late-goods-in-japanese@customer.example", Normal, "お世話になっております。\nポンプがまだ届きませんでした。\nana@customer.example", &[], "incoming queued"),
        ("normal-office-tells-of-late-goods-in-russian", "Администратор <admin@customer.example>", "Ошибка доставки заказа 4711", NOON, "normal-office-tells-of-late-goods-in-russian@customer.example", Normal, "Добрый день!\nОборудование не было доставлено в пятницу.\nАнна, anna@customer.example", &[], "incoming queued"),
        ("normal-office-tells-of-late-goods-in-spanish", "Service <service@customer.example>", "No entregado: pedido 4711", NOON, "normal-office-tells-of-late-goods-in-spanish@customer.example", Normal, "Buenos días,\nla bomba no se ha entregado.\nAna, ana@customer.example", &[], "incoming queued"),
        ("normal-pastes-a-bounce-without-marks", "Ana Ruiz <ana@customer.example>", "Delivery problem", NOON, "normal-pastes-a-bounce-without-marks@customer.example", Normal, "I get this when I write to you:\nThis is the mail system at host mx.example.net.\nYour message could not be delivered to one or more recipients.", &[], "incoming queued"),
        ("normal-person-announces-vacation-in-the-thread", "Ana Ruiz <ana@customer.example>", "Absent next week", NOON, "normal-person-announces-vacation-in-the-thread@customer.example", Normal, "I am away next week.", &[], "incoming queued"),
        ("normal-person-announces-vacation-on-exchange", "Ana Ruiz <ana@customer.example>", "Out of office next week", NOON, "normal-person-announces-vacation-on-exchange@customer.example", Normal, "I am out of the office next week. Please send the offer today.", &[], "incoming queued"),
        ("normal-person-answers-an-out-of-office", "Ana Ruiz <ana@customer.example>", "Re: Automatic reply: Our offer", NOON, "normal-person-answers-an-out-of-office@customer.example", Normal, "Then I call on Monday.", &[], "incoming queued"),
        ("normal-person-answers-in-german", "Ana Ruiz <ana@customer.example>", "AW: Automatische Antwort: Angebot", NOON, "normal-person-answers-in-german@customer.example", Normal, "Dann rufe ich am Montag an.", &[], "incoming queued"),
        ("normal-person-asks-about-automatic-replies", "Ana Ruiz <ana@customer.example>", "Automatic reply machine", NOON, "normal-person-asks-about-automatic-replies@customer.example", Normal, "Do you sell machines that answer by themselves?", &[], "incoming queued"),
        ("normal-person-named-daemon", "Damon Mailer <damon.mailer@customer.example>", "Price list", NOON, "normal-person-named-daemon@customer.example", Normal, "Please call me.", &[], "incoming queued"),
        ("normal-person-pastes-a-bounce", "Ana Ruiz <ana@customer.example>", "Undeliverable", NOON, "normal-person-pastes-a-bounce@customer.example", Normal, "Hello, your address does not work any more, I get this:\n\n> This is the mail system at host mx.example.net.\n> Your message could not be delivered.", &[], "incoming queued"),
        ("normal-person-pastes-a-bounce-below", "Ana Ruiz <ana@customer.example>", "Problem with your mailbox", NOON, "normal-person-pastes-a-bounce-below@customer.example", Normal, "Dear all,\n\nwhat is this?\n\nThank you\nAna\nSales\nCustomer\n\nThis is the mail system at host mx.example.net.\nYour message could not be delivered to one or more recipients.\n\n<sales@example.com>: mailbox full", &[], "incoming queued"),
        ("normal-person-through-a-service", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "normal-person-through-a-service@customer.example", Normal, "Please call me.", &[], "incoming queued"),
        ("normal-postmaster-is-a-person", "Postmaster <postmaster@customer.example>", "Your mailbox moves on Monday", NOON, "normal-postmaster-is-a-person@customer.example", Normal, "Dear colleagues,\n\nplease change the server name.\n\nKarl", &[], "incoming queued"),
        ("normal-production-is-delayed", "Ana Ruiz <ana@customer.example>", "Delivery status PO 4711", NOON, "normal-production-is-delayed@customer.example", Normal, "Production of your pump has been delayed until June.", &[], "incoming queued"),
        ("normal-quotes-an-automatic-message", "Ana Ruiz <ana@customer.example>", "Re: Your order", NOON, "normal-quotes-an-automatic-message@customer.example", Normal, "Thank you, that is right.\n\nVon: noreply@shop.example\nGesendet: gestern\nBetreff: Your order\n\nDies ist eine automatisch erzeugte Nachricht, bitte nicht auf diese antworten.", &[], "incoming queued"),
        ("normal-redirected-by-an-outlook-rule", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "normal-redirected-by-an-outlook-rule@customer.example", Normal, "Please call me.", &[], "incoming queued"),
        ("normal-rejected-application", "Ana Ruiz <ana@customer.example>", "Rejected: purchase order 4711", NOON, "normal-rejected-application@customer.example", Normal, "Your order was rejected by the recipient, the price is wrong.", &[], "incoming queued"),
        ("normal-returned-goods", "Ana Ruiz <ana@customer.example>", "Returned goods", NOON, "normal-returned-goods@customer.example", Normal, "The pump could not be delivered, nobody was at the gate.", &[], "incoming queued"),
        ("normal-returned-goods-from-an-office", "Service <service@customer.example>", "Returned to sender: pump 12", NOON, "normal-returned-goods-from-an-office@customer.example", Normal, "Hello,\nthe pump has been returned to you by mail, see service@customer.example", &[], "incoming queued"),
        ("normal-vacation-cover-in-the-thread", "Ana Ruiz <ana@customer.example>", "Urlaub: Vertretung im Mai", NOON, "normal-vacation-cover-in-the-thread@customer.example", Normal, "Herr Groß vertritt mich ab dem 3. Mai.", &[], "incoming queued"),
        ("normal-vacation-pay-in-russian", "Ana Ruiz <ana@customer.example>", "Отпускные: расчёт", NOON, "normal-vacation-pay-in-russian@customer.example", Normal, "Посмотрите, пожалуйста.", &[], "incoming queued"),
        ("normal-x-autoreply-no", "Ana Ruiz <ana@customer.example>", "Price list", NOON, "normal-x-autoreply-no@customer.example", Normal, "Please call me.", &[], "incoming queued"),
        ("spam-bounce-with-a-verdict", " <mailer-daemon@mx.example.net>", "Undelivered Mail Returned to Sender", NOON, "spam-bounce-with-a-verdict@mx.example.net", SpamVerdict, "This is the mail system at host mx.", &[], "incoming queued"),
        ("spam-kaspersky-verdict", "Win <win@spam.example>", "You won", NOON, "spam-kaspersky-verdict@spam.example", SpamVerdict, "You won.", &[], "incoming queued"),
        ("spam-purgate-verdict", "Win <win@spam.example>", "You won", NOON, "spam-purgate-verdict@spam.example", SpamVerdict, "You won.", &[], "incoming queued"),
        ("spam-trend-micro-verdict", "Win <win@spam.example>", "You won", NOON, "spam-trend-micro-verdict@spam.example", SpamVerdict, "You won.", &[], "incoming queued"),
];

/// The names say what each file is; robots may be missed by none, people by all.
#[test]
fn robots_and_people_are_told_apart() {
    let (mut missed, mut misjudged, mut robots) = (Vec::new(), Vec::new(), 0);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let raw = std::fs::read(&path).unwrap();
        let judged = parse(&raw).unwrap().class;
        let kind = name.split('-').next().unwrap_or_default();
        let expected = match kind {
            _ if name == "bounce-forwarded-by-a-person" => Normal,
            "bounce" => Bounce,
            "automated" => Automated,
            "list" => MailingList,
            "spam" => SpamVerdict,
            _ => Normal,
        };
        if expected != Normal {
            robots += 1;
        }
        if judged.class != expected {
            let list = if expected == Normal { &mut misjudged } else { &mut missed };
            list.push(format!("{name}: {judged:?}"));
        }
        // The header alone may only know less.
        let strength = |class: Class| match class {
            Normal => 0,
            MailingList => 1,
            Automated => 2,
            Bounce => 3,
            SpamVerdict => 4,
        };
        let end = raw.windows(2).position(|pair| pair == b"\n\n").unwrap_or(raw.len());
        let header = parse(raw.get(..end).unwrap_or_default()).unwrap().class;
        assert!(strength(header.class) <= strength(judged.class), "{name}: {header:?}");
        assert_eq!(judged.evidence.is_empty(), judged.class == Normal, "{name}");
    }
    assert_eq!(misjudged, Vec::<String>::new());
    assert_eq!(missed, Vec::<String>::new(), "of {robots}");
    assert!(robots >= 100, "{robots}");
}

#[test]
fn bounces_name_whom_they_could_not_reach() {
    // Those that say it nowhere.
    let silent = [
        "bounce-exchange-2003-tnef",
        "bounce-exchange-relayed-russian",
        "bounce-sendmail-delivered-receipt",
    ];
    let mut wrong = Vec::new();
    for (name, _, _, _, _, class, text, ..) in ROWS.iter().filter(|row| row.5 == Bounce) {
        let found = super::failed(&fixture(name));
        let found: Vec<&str> = found.iter().map(|address| address.email.as_str()).collect();
        let raw = fixture(name);
        let named = String::from_utf8_lossy(&raw).contains("bo@customer.example")
            || text.contains("bo@customer.example");
        let expected: &[&str] = match *name {
            "bounce-utf-8-recipient" => &["\u{431}\u{43e}@customer.example"],
            _ if silent.contains(name) || !named => &[],
            _ => &["bo@customer.example"],
        };
        if found != expected {
            wrong.push(format!("{name} {class:?}: {found:?}"));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}
